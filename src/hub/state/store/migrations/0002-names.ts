/** Other names for members, named sets of them, members that are gone, and tokens that end. */
export const sql = /* sql */ `
create table alias (
  name   text    primary key,
  member integer not null references member (id)
) strict, without rowid;

create index alias_of_member on alias (member);

create table member_group (
  name text primary key
) strict, without rowid;

create table group_member (
  group_name text    not null references member_group (name) on delete cascade,
  member     integer not null references member (id),
  primary key (group_name, member)
) strict, without rowid;

-- A member that was deleted keeps its row, since messages name it. Its name is freed: '#' and its id are put behind it.
alter table member add column deleted_at integer;

-- When the token stops counting, for one that was replaced with an overlap; null for one that lives until it is replaced.
alter table token add column ends_at integer;

create index token_due on token (ends_at) where ends_at is not null;

-- How long the member's earlier token goes on after the code was used, in seconds.
alter table invite add column overlap_s integer not null default 0;
`
