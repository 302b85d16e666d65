/** Webhooks that post events to a URL, the progress of each in the history, and failed events. */
export const sql = /* sql */ `
-- 'filters' is JSON: see OutgoingFilter. Up to place 'seq', 'part' of the history everything is delivered or in outgoing_event.
create table outgoing (
  id            integer primary key autoincrement,
  name          text    not null unique,
  url           text    not null,
  filters       text    not null,
  template      text,
  with_text     integer not null,
  secret        text    not null,
  secret_before text,
  before_until  integer,           -- in steady time
  created_at    integer not null,
  seq           integer not null,
  part          integer not null default 0,
  gone_at       integer,
  delivered     integer not null default 0,
  delivered_at  integer
) strict;

-- Events that are tried again when they are due, in steady time, and dead letters, where 'due' is null. 'since' is the steady time of
-- the first failure, 'tried' that of the last try, 'entry' the one that last wrote here.
create table outgoing_event (
  webhook  integer not null,
  id       text    not null,
  kind     text    not null,
  seq      integer not null,
  changed  integer,
  at       integer not null,
  detail   text,
  since    integer not null,
  tried    integer not null,
  due      integer,
  attempts integer not null,
  why      text    not null,
  written  integer not null,
  entry    integer not null,
  primary key (webhook, id)
) strict, without rowid;
create index outgoing_due on outgoing_event (webhook, due) where due is not null;
create index outgoing_dead on outgoing_event (webhook, entry) where due is null;

-- What expired, in the order in which it did.
create index delivery_expired on delivery (changed, seq) where expired_at is not null;
`
