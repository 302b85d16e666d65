/** Permission prompts that owners were notified of on Telegram, and the machines for which they want that. */
export const sql = /* sql */ `
-- Prompts that an owner was told of, by the ids that the sessions gave them. 'at' and 'steady' are of the entry.
create table telegram_prompt (
  machine integer not null,
  prompt  text    not null,
  at      integer not null,
  steady  integer not null,
  primary key (machine, prompt)
) strict, without rowid;
create index telegram_prompt_age on telegram_prompt (steady);

-- 0 where the owner wants to hear of none.
alter table telegram_follow add column tells_prompts integer not null default 1;
`
