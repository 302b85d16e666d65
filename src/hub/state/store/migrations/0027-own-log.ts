/**
 * The log that a hub shares with others: which one, under which name this hub does, and where the log began when it was made from this
 * store. A hub that stands alone has no row. Each hub's own.
 */
export const sql = /* sql */ `
create table own_log (
  only_row integer primary key check (only_row = 1),
  name     text not null,
  hub      text,
  begun_at integer
) strict;
`
