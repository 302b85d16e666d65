/** The hubs that share one history, as each has announced itself, and the rules by which new entries are written. */
export const sql = /* sql */ `
create table hub (
  name          text    primary key,
  version       text    not null,
  -- The newest rules that its program knows.
  entry_version integer not null,
  url           text,
  ssh           text,
  hub_key       text,
  -- The offset of the log from which its oldest kept snapshot goes on; 0 where it keeps none.
  snapshot      integer not null,
  -- By the wall clock.
  announced_at  integer not null
) strict, without rowid;

create table rules (
  only_row integer primary key check (only_row = 1),
  version  integer not null
) strict;
insert into rules (only_row, version) values (1, 3);
`
