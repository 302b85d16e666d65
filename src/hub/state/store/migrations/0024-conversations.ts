/**
 * The newest message of each conversation, up to 'history_position': written after the commits by `history-index.ts`, like 'sent'. See
 * `query/conversations.ts`.
 */
export const sql = /* sql */ `
-- What passed between 'member' and 'other', or what 'member' sent to 'crowd': a group or 'all', and 'other' is -1 then.
create table conversation (
  member integer not null,
  other  integer not null,
  crowd  text    not null,
  seq    integer not null,
  primary key (member, other, crowd)
) strict, without rowid;

create index conversation_of on conversation (member, seq);
create index conversation_newest on conversation (seq);

insert into conversation (member, other, crowd, seq)
  select member, other, crowd, max(seq) from (
    select recipient as member, sender as other, '' as crowd, max(seq) as seq from delivery
      where seq <= (select seq from history_position) group by recipient, sender
    union all
    select x.sender, iif(x.crowd = '', x.recipient, -1), x.crowd, x.seq from (
      select d.sender, d.recipient, d.seq, case
        when not json_valid(m.named) or json_array_length(m.named) <> 1 then ''
        when not exists (select 1 from delivery o where o.seq = d.seq and o.recipient <> d.recipient) then ''
        else lower(ltrim(trim(json_extract(m.named, '$[0]')), '@')) end as crowd
      from delivery d join message m on m.seq = d.seq where d.seq <= (select seq from history_position)
    ) x
  ) group by member, other, crowd;
`
