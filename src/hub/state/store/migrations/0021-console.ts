/**
 * Logins to the console: links that open a session once, and sessions. Secrets are stored as SHA-256. 'member' is 0 for the admin. 'via' is
 * the public id of the token by which the link was made: a session ends with it.
 */
export const sql = /* sql */ `
create table console_link (
  hash           blob    primary key,
  member         integer not null,
  via            text    not null,
  expires_steady integer not null,
  -- 1 once it has opened a session.
  used           integer not null default 0
) strict, without rowid;
create index console_link_end on console_link (expires_steady);

create table console_session (
  id             text    primary key,
  member         integer not null,
  via            text    not null,
  cookie_hash    blob    not null unique,
  tab_hash       blob    not null unique,
  -- By the wall clock, as it is shown.
  since          integer not null,
  expires_at     integer not null,
  expires_steady integer not null,
  -- Where the login came from, and from what, as that says itself.
  address        text    not null,
  browser        text    not null
) strict, without rowid;
create index console_session_end on console_session (expires_steady);
create index console_session_member on console_session (member);
create index console_session_via on console_session (via);
`
