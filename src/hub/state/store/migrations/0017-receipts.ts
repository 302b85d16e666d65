/** Questions to several, and further data of receipts. For older messages, nothing is known. */
export const sql = /* sql */ `
-- Steady time up to which the asker of a question to several waits with being woken by an answer; null of any other message.
alter table message add column gathers_until integer;

-- When a session was told that there is the message, and how; and for which project the session stood that was last given it. All as the client said.
alter table delivery add column told_at integer;
alter table delivery add column told_how text;
alter table delivery add column fetched_project text;
`
