/** Members, tokens, messages and deliveries. Times are ms since 1970 in UTC, `seq` is the journal's. */
export const sql = /* sql */ `
-- One row: how far this file has come. 'epoch' names its history, 'seq' is the last entry applied.
create table position (
  only_row integer primary key check (only_row = 1),
  epoch    text    not null,
  seq      integer not null,
  time     integer not null
) strict;

create table member (
  id         integer primary key,
  name       text    not null unique,
  kind       text    not null check (kind in ('machine', 'human')),
  owner      integer references member (id),
  created_at integer not null,
  joined_at  integer,
  -- How many deliveries of this member are neither acked nor expired: read with every event, so it is kept, not counted.
  unread     integer not null default 0 check (unread >= 0)
) strict;

-- A credential. 'id' is its public part. An admin's token belongs to no member.
create table token (
  id         text    primary key,
  hash       blob    not null,
  role       text    not null check (role in ('machine', 'human', 'admin')),
  member     integer references member (id),
  created_at integer not null
) strict, without rowid;

create index token_of_member on token (member) where member is not null;

-- A one-time code. 'used_by' is the hash of the token it was exchanged for: the same exchange may be repeated.
create table invite (
  code_hash  blob    primary key,
  member     integer not null references member (id),
  expires_at integer not null,
  used_by    blob
) strict, without rowid;

-- What was written; its row is never changed but to expire. 'named' is the list of names as sent, 'outcome' what came of
-- each recipient then (JSON: member, status, reason), so that a repeated send gets the first answer.
create table message (
  seq        integer primary key,
  id         text    not null unique,
  sender     integer not null references member (id),
  sent_at    integer not null,
  named      text    not null,
  intent     text    not null,
  reply_to   text,
  expires_at integer,
  expired    integer not null default 0,
  body       text    not null,
  hash       blob    not null,
  outcome    text    not null
) strict;

create index message_due on message (expires_at) where expires_at is not null and expired = 0;

-- One message in one inbox. 'changed' is the entry that last moved it on, null while it is only stored.
create table delivery (
  recipient  integer not null,
  seq        integer not null,
  sender     integer not null,
  fetched_at integer,
  fetched_by text,
  acked_at   integer,
  expired_at integer,
  changed    integer,
  primary key (recipient, seq)
) strict, without rowid;

create index delivery_unread on delivery (recipient, seq) where acked_at is null and expired_at is null;
create index delivery_changed on delivery (sender, changed) where changed is not null;

-- Not part of the history: when each member was last seen, written about once a minute.
create table last_seen (
  member integer primary key,
  at     integer not null
) strict;
`
