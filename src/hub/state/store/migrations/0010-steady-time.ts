/**
 * Deadlines and ages by a clock that never steps (see `Entry` in commands.ts), so that a wall clock that was wrong for a while ends nothing
 * early. For older entries, the steady time is the wall clock's.
 */
export const sql = /* sql */ `
alter table position add column steady integer not null default 0;
update position set steady = time;

-- From entry 'seq' on, the wall clock is ahead of the steady one by 'offset_ms'; without a row, by nothing.
create table clock_step (
  seq       integer primary key,
  offset_ms integer not null
) strict;

alter table message add column expires_steady integer;
update message set expires_steady = expires_at where expires_at is not null;
drop index message_due;
create index message_due on message (expires_steady) where expires_steady is not null and expired = 0;

alter table token add column ends_steady integer;
update token set ends_steady = ends_at where ends_at is not null;
drop index token_due;
create index token_due on token (ends_steady) where ends_steady is not null;

alter table invite add column expires_steady integer not null default 0;
update invite set expires_steady = expires_at;
`
