/** Which hub of a shared history acts for all of them: see `apply/claims.ts`. In the history of a hub that stands alone it is empty. */
export const sql = /* sql */ `
create table claim (
  only_row integer primary key check (only_row = 1),
  hub      text    not null,
  run      text    not null, -- names the process of that hub
  seq      integer not null, -- of the newest entry that made or renewed the claim
  ended    integer not null  -- 1 once the hub has given it up
) strict;
`
