/**
 * Ends of past epochs; each start of a hub begins a new one. A cursor of an epoch that is not listed, or beyond its end, belongs to a
 * history that this store does not have, such as one that a restored copy has replaced. Local to each hub.
 */
export const sql = /* sql */ `
create table past_epoch (
  epoch    text primary key,
  last_seq integer not null
) strict;
`
