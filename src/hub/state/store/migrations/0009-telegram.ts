/**
 * Durable data of the Telegram bridge. Chat, user and message ids are Telegram's own (chat ids have at most 52 bits); 'person' and
 * 'machine' are members.
 */
export const sql = /* sql */ `
-- The human who answered this delivery's message in place of its recipient, or null.
alter table delivery add column answered_by integer;

-- What people wrote, in the order it came. 'content' is the bridge's own JSON, null once it was handled.
create table telegram_update (
  arrival    integer primary key autoincrement,
  update_id  integer not null unique,
  kind       text    not null check (kind in ('message', 'edit', 'press')),
  chat       integer not null,
  message    integer not null,
  content    text,
  at         integer not null
) strict;

-- An update id may start anew at any number; a message of a chat comes once.
create unique index telegram_message on telegram_update (chat, message) where kind = 'message';
create index telegram_to_handle on telegram_update (arrival) where content is not null;

-- Which message of ours a Telegram message stands for: 'out' carried it to a person, 'notice' told an owner of it lying with
-- 'machine', 'in' is what a person wrote. 'part' of 'parts' of an 'out'; 'shown' is set once an 'in' shows that it was acked.
create table telegram_route (
  chat    integer not null,
  message integer not null,
  seq     integer not null,
  kind    text    not null check (kind in ('out', 'notice', 'in')),
  machine integer,
  part    integer not null default 1,
  parts   integer not null default 1,
  shown   integer not null default 0,
  at      integer not null,
  primary key (chat, message, seq)
) strict, without rowid;

create index telegram_route_of on telegram_route (seq, chat);
create index telegram_route_age on telegram_route (at);
create index telegram_route_waits on telegram_route (at) where kind = 'in' and shown = 0;

-- Who somebody is on Telegram: 'user_id' as the admin confirmed it, the candidate as it was seen under the configured name.
create table telegram_person (
  person            integer primary key,
  user_id           integer,
  candidate_id      integer,
  candidate_name    text,
  candidate_at      integer,
  is_private        integer
) strict;

-- Whose mail a person does not want to hear of for a while; sender 0 is everyone's.
create table telegram_mute (
  person integer not null,
  sender integer not null,
  since  integer not null,
  until  integer not null,
  primary key (person, sender)
) strict, without rowid;

-- When a machine's owner hears of mail that it leaves unread: after so many seconds, null as configured, -1 never; and up to
-- which seq that was told, of what members wrote and of what the hub itself said there.
create table telegram_follow (
  machine  integer primary key,
  after_s  integer,
  told_seq integer not null default 0,
  told_hub integer not null default 0
) strict;

-- Mail that Telegram refuses for good, so that it does not hold up what comes behind.
create table telegram_failed (
  person integer not null,
  seq    integer not null,
  why    text    not null,
  at     integer not null,
  primary key (person, seq)
) strict, without rowid;

-- Where a group went that became a supergroup.
create table telegram_move (
  from_chat integer primary key,
  to_chat   integer not null
) strict;

-- A question with buttons: what is sent where, once its person presses one.
create table telegram_choice (
  key     text    primary key,
  person  integer not null,
  content text    not null,
  until   integer not null
) strict, without rowid;
`
