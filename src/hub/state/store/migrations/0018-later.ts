/** Scheduled messages, and events that senders are to be notified of. */
export const sql = /* sql */ `
-- Waits where 'ended' is null. What was cancelled, or refused by all when it was due, keeps its id bound for a year; what was
-- delivered is a message, and has no row here.
create table later (
  id           text    primary key,
  seq          integer not null, -- of the entry that stored it: the order of those that are due at once
  sender       integer not null,
  written_at   integer not null,
  due_at       integer not null, -- by the wall clock, as its sender chose it
  due_steady   integer not null,
  content      text,             -- the send as JSON, until it has ended
  hash         blob    not null,
  outcome      text    not null, -- what its sender was answered of the recipients
  ended        text,             -- 'cancelled' or 'refused'
  ended_steady integer
) strict, without rowid;

create index later_due on later (due_steady, seq) where ended is null;
create index later_of on later (sender, due_at, seq) where ended is null;
create index later_over on later (ended_steady) where ended is not null;

-- Of a message that was later mail: when it was written, and for when.
alter table message add column written_at integer;
alter table message add column due_at integer;

-- What senders are to be told in a message of the hub, which takes it away here.
create table untold (
  place  integer primary key autoincrement,
  sender integer not null,
  what   text    not null, -- 'expired', 'refused' or 'cancelled'
  detail text    not null  -- JSON: see query/untold.ts
) strict;

create index untold_of on untold (sender, place);
`
