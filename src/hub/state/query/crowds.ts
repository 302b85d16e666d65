/** Stands as `other` where a conversation is with a crowd. */
export const crowds = -1

/** The group, or `all`, that message `m` was sent to by that name alone, where several took it; else empty. */
export const crowdOf = `case
  when not json_valid(m.named) or json_array_length(m.named) <> 1 then ''
  when (select count(*) from (select 1 from delivery o where o.seq = m.seq limit 2)) < 2 then ''
  else lower(ltrim(trim(json_extract(m.named, '$[0]')), '@')) end`

/**
 * The newest seq of each conversation that the messages after ?1 and up to ?2 belong to; `also` is one more condition. What `member` sent to a crowd
 * is its conversation with that, and a conversation of each who got it with `member`.
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
