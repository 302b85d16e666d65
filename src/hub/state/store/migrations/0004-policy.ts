/** Policies of members: whether they accept messages, whom they have muted, and how much may be unread. */
export const sql = /* sql */ `
alter table member add column inbound text not null default 'accept';

-- 1 when there is a row in 'mute' for this member: most members have none, and senders need not look.
alter table member add column mutes integer not null default 0;

-- Bytes of the texts that are unread, kept like the count.
alter table member add column unread_bytes integer not null default 0;

update member set unread_bytes = coalesce((
  select sum(octet_length(m.body)) from delivery d join message m on m.seq = d.seq
  where d.recipient = member.id and d.acked_at is null and d.expired_at is null), 0);

create table mute (
  member integer not null references member (id),
  sender integer not null references member (id),
  primary key (member, sender)
) strict, without rowid;

-- 'hold': for the member's user only, not for its agent. 'mute': stored, but nobody is told. Null: as usual.
alter table delivery add column handling text check (handling in ('hold', 'mute'));
`
