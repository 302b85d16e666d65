/** Position of the state in its journal's log: packs applied, the chain of their bytes, and the chain of outcomes. Local to each hub. */
export const sql = /* sql */ `
alter table position add column log_offset integer not null default 0;
alter table position add column log_hash text not null default '';
alter table position add column outcomes text not null default '';
`
