/**
 * The admin token that stands in the file beside this store, by its public id: a new one replaces it, and leaves those of other hubs
 * alone. Up to here a hub stood alone, and every admin token was its own. Each hub's own.
 */
export const sql = /* sql */ `
create table own_admin_token (
  id text primary key
) strict, without rowid;

insert into own_admin_token (id) select id from token where role = 'admin';
`
