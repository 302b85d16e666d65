/**
 * Every start of a hub begins an epoch, and keeps where the epochs before it ended: a cursor of an epoch that is not listed, or beyond
 * its end, is of a history that this store does not have, such as that of before a copy was put back. Each hub's own.
 */
export const sql = /* sql */ `
create table past_epoch (
  epoch    text primary key,
  last_seq integer not null
) strict;
`
