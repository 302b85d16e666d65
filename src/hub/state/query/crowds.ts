/** Value of `other` for a conversation with a crowd. */
export const crowds = -1

/** SQL of the group, or `all`, that message `m` was sent to as its only address, if several recipients accepted it; else empty. */
export const crowdOf = `case
  when not json_valid(m.named) or json_array_length(m.named) <> 1 then ''
  when (select count(*) from (select 1 from delivery o where o.seq = m.seq limit 2)) < 2 then ''
  else lower(ltrim(trim(json_extract(m.named, '$[0]')), '@')) end`

/**
 * Returns SQL of the newest seq of each conversation among the messages after ?1 and up to ?2; `also` is one more condition. A message of
 * `member` to a crowd belongs to its conversation with that, and to those of each recipient with `member`.
 */
export function newestOfConversations(also = ''): string {
  return `
    select member, other, crowd, max(seq) as seq from (
      select d.recipient as member, d.sender as other, '' as crowd, d.seq from delivery d where d.seq > ?1 and d.seq <= ?2 ${also}
      union all
      select x.sender, iif(x.crowd = '', d.recipient, ${crowds}), x.crowd, x.seq from (
        select m.seq, m.sender, ${crowdOf} as crowd from message m where m.seq > ?1 and m.seq <= ?2
      ) x join delivery d on d.seq = x.seq ${also}
    ) group by member, other, crowd`
}
