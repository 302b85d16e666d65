/** Projects that sessions of a machine work on, as the machine claims. A delivery may be for one of them; older ones are for none. */
export const sql = /* sql */ `
-- Projects that a machine was seen with. 'seen_at' by the wall clock, 'seen_steady' in steady time; renewed at most once a day.
create table project (
  member      integer not null,
  name        text    not null,
  seen_at     integer not null,
  seen_steady integer not null,
  primary key (member, name)
) strict, without rowid;
create index project_seen on project (seen_steady);

alter table delivery add column project text;
alter table message add column from_project text;

-- How much of what is unread at a member is for any of its projects, and for which: only of those that have some.
alter table member add column project_unread integer not null default 0;
create table project_inbox (
  recipient integer not null,
  project   text    not null,
  unread    integer not null,
  primary key (recipient, project)
) strict, without rowid;

-- Each hub's own: the order of the inboxes, and when a session of a project was last heard of, in ms since 1970.
alter table unread add column project text;
create table project_last_seen (
  member integer not null,
  name   text    not null,
  at     integer not null,
  primary key (member, name)
) strict, without rowid;
`
