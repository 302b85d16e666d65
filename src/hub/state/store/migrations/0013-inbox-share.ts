/** Limits of one inbox, in all and per sender. */
export const sql = /* sql */ `
-- What decides whether an inbox has room: see apply/room.ts.
alter table setting add column inbox_messages integer not null default 10000;
alter table setting add column inbox_bytes integer not null default 67108864;
alter table setting add column sender_percent integer not null default 25;
alter table setting add column reserve_percent integer not null default 10;

-- 1 while 'inbox_share' has what this member has unread, by sender: only once it is a good deal.
alter table member add column is_shared integer not null default 0;

create table inbox_share (
  recipient integer not null references member (id),
  sender    integer not null references member (id),
  unread    integer not null,
  bytes     integer not null,
  primary key (recipient, sender)
) strict, without rowid;
`
