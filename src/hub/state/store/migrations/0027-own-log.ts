/**
 * The log that a hub shares with others: its name, this hub's name in it, and the offset at which it began when it was made from this
 * store. A hub that stands alone has no row. Local to each hub.
 */
export const sql = /* sql */ `
create table own_log (
  only_row integer primary key check (only_row = 1),
  name     text not null,
  hub      text,
  begun_at integer
) strict;
`
