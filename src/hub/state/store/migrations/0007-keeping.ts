/** The admin's settings, and the progress of deleting messages that are over. */
export const sql = /* sql */ `
-- One row: settings that change outcomes. They enter by the command settings.set.
create table setting (
  only_row       integer primary key check (only_row = 1),
  keep_text_days integer not null
) strict;

insert into setting (only_row, keep_text_days) values (1, 30);

-- When the text was deleted: 'body' is empty since then. Null while it is there.
alter table message add column text_deleted_at integer;

-- Messages up to this seq have been looked at once they were old enough; those that were not over yet are in 'kept'.
create table retention_position (
  only_row integer primary key check (only_row = 1),
  seq      integer not null
) strict;

insert into retention_position (only_row, seq) values (1, 0);

-- What waits for its text, or later its record, to be deleted. It was not over before 'since', in ms since 1970.
create table kept (
  what  text    not null check (what in ('text', 'record')),
  since integer not null,
  seq   integer not null,
  primary key (what, since, seq)
) strict, without rowid;
`
