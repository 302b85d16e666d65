/** The hub as a sender of its own notices, and brakes on pairs of members whose messages looked like a loop. */
export const sql = /* sql */ `
-- The hub itself. Its row counts as deleted, so that it is in no list and has no inbox; messages may name it as their sender.
insert into member (id, name, kind, created_at, deleted_at) values (0, 'hub', 'machine', 0, 0);

-- No mail passes between 'low' and 'high' (ids of members, in that order) from 'since' until 'until'.
create table brake (
  low   integer not null references member (id),
  high  integer not null references member (id),
  since integer not null,
  until integer not null,
  why   text    not null,
  primary key (low, high)
) strict, without rowid;

-- The end of the member's last brake: senders look into 'brake' only while there may be one.
alter table member add column braked_until integer not null default 0;
`
