/** Index of answers, up to 'history_position': written after the commits by `history-index.ts`, like 'sent'. */
export const sql = /* sql */ `
create table answer (
  reply_to text    not null,
  sender   integer not null,
  seq      integer not null,
  primary key (reply_to, sender, seq)
) strict, without rowid;

insert into answer (reply_to, sender, seq)
  select reply_to, sender, seq from message where reply_to is not null and seq <= (select seq from history_position);
`
