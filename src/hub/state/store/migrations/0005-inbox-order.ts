/**
 * Stores deliveries in the order of the journal, so that a batch of messages is appended to one table. In the earlier order, by recipient,
 * each message wrote to pages of its recipient's inbox, all of which had to be synced. See `inbox-index.ts`.
 */
export const sql = /* sql */ `
create table delivery_by_seq (
  seq        integer not null,
  recipient  integer not null,
  sender     integer not null,
  fetched_at integer,
  fetched_by text,
  acked_at   integer,
  expired_at integer,
  changed    integer,
  handling   text check (handling in ('hold', 'mute')),
  primary key (seq, recipient)
) strict, without rowid;

insert into delivery_by_seq (seq, recipient, sender, fetched_at, fetched_by, acked_at, expired_at, changed, handling)
  select seq, recipient, sender, fetched_at, fetched_by, acked_at, expired_at, changed, handling from delivery
  order by seq, recipient;

-- What is unread, inbox by inbox, of the messages up to 'unread_position'. Not part of the history: every hub keeps its own.
create table unread (
  recipient integer not null,
  seq       integer not null,
  handling  text,
  primary key (recipient, seq)
) strict, without rowid;

insert into unread (recipient, seq, handling)
  select recipient, seq, handling from delivery where acked_at is null and expired_at is null order by recipient, seq;

create table unread_position (
  only_row integer primary key check (only_row = 1),
  seq      integer not null
) strict;

insert into unread_position (only_row, seq) values (1, coalesce((select max(seq) from message), 0));

-- Who received what, up to 'history_position', like 'sent'.
create table received (
  recipient integer not null,
  seq       integer not null,
  sender    integer not null,
  primary key (recipient, seq)
) strict, without rowid;

insert into received (recipient, seq, sender)
  select recipient, seq, sender from delivery where seq <= (select seq from history_position) order by recipient, seq;

drop table delivery;
alter table delivery_by_seq rename to delivery;
create index delivery_changed on delivery (sender, changed) where changed is not null;
`
