/** Indexes for history and search, written after the commits by `history-index.ts`. */
export const sql = /* sql */ `
-- How far the two indexes below have come.
create table history_position (
  only_row integer primary key check (only_row = 1),
  seq      integer not null
) strict;

insert into history_position (only_row, seq) values (1, 0);

create table sent (
  sender integer not null,
  seq    integer not null,
  primary key (sender, seq)
) strict, without rowid;

-- Words of the bodies; the bodies themselves stay in 'message'.
create virtual table message_words using fts5 (body, content = 'message', content_rowid = 'seq', tokenize = 'unicode61');
`
