/**
 * Life of tokens, and addresses from which they may be used. Before, a token was valid until it was replaced or revoked, from anywhere.
 * Times are steady times; null for no limit.
 */
export const sql = /* sql */ `
alter table setting add column token_days integer not null default 0;

alter table token add column renew_steady integer;
alter table token add column limit_steady integer;
-- When its machine renewed it, by the wall clock: it goes on for the overlap.
alter table token add column renewed_at integer;
create index token_limit on token (limit_steady) where limit_steady is not null;

-- Tokens that ended by age or because they were renewed: whoever still has one is told which, and what to do.
create table ended_token (
  id     text    primary key,
  hash   blob    not null,
  member integer not null,
  why    text    not null,
  at     integer not null,
  seq    integer not null
) strict, without rowid;

-- Ranges of addresses, as JSON; null is anywhere.
alter table member add column bound_to text;

-- When each token was last used, in ms since 1970. Each hub's own.
create table token_use (
  id text    primary key,
  at integer not null
) strict, without rowid;
`
