/**
 * Words are indexed in a file of their own, `search.db`, by another thread: see `state/words/word-index.ts`. The index is rebuilt there
 * while the hub runs.
 */
export const sql = /* sql */ `
drop table message_words;

-- Messages whose text was deleted, until their words are out of the search too. Not part of the history.
create table words_gone (
  id  integer primary key,
  seq integer not null
) strict;
`
