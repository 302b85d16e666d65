/**
 * Public id of the admin token in the file beside this store: a new one replaces it, and leaves those of other hubs alone. Before, a hub
 * stood alone, and every admin token was its own. Local to each hub.
 */
export const sql = /* sql */ `
create table own_admin_token (
  id text primary key
) strict, without rowid;

insert into own_admin_token (id) select id from token where role = 'admin';
`
