/**
 * Events from outside: members of kind 'service', and the webhook of each. The check of a column cannot be changed, so a new column
 * replaces it.
 */
export const sql = /* sql */ `
alter table member add column kind_of text not null default 'machine' check (kind_of in ('machine', 'human', 'service'));
update member set kind_of = kind;
alter table member drop column kind;
alter table member rename column kind_of to kind;

-- 'secret_hash' is of the secret in its URL, null once that is revoked. 'signing_secret' is what its sender signs with, null where nothing is
-- signed. 'before_…' are those of before a rotation, which count up to the steady time 'before_ends'. 'named' is a list of names, as JSON.
create table webhook (
  member         integer primary key,
  source         text    not null,
  secret_hash    blob,
  signing_secret text,
  before_hash    blob,
  before_signing text,
  before_ends    integer,
  named          text    not null,
  template       text,
  failed_as      text,
  created_at     integer not null,
  rotated_at     integer
) strict;

create unique index webhook_secret on webhook (secret_hash) where secret_hash is not null;
create index webhook_before on webhook (before_hash) where before_hash is not null;

-- What a webhook was called with, by its SHA-256, where that is signed and the name of the delivery is not. 'id' is the message that it became.
create table webhook_seal (
  member integer not null,
  seal   blob    not null,
  id     text    not null,
  steady integer not null,
  primary key (member, seal)
) strict, without rowid;
create index webhook_seal_age on webhook_seal (member, steady);
`
