/** The hub of a shared history that acts for all: see `apply/claims.ts`. Empty in the history of a hub that stands alone. */
export const sql = /* sql */ `
create table claim (
  only_row integer primary key check (only_row = 1),
  hub      text    not null,
  run      text    not null, -- names the process of that hub
  seq      integer not null, -- of the newest entry that made or renewed the claim
  ended    integer not null  -- 1 once the hub has given it up
) strict;
`
