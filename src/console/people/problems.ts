import type { StatusAnswer } from '../../protocol/status.ts'
import { bytesInWords } from '../../text/bytes.ts'
import { hubTroubles } from '../../text/hubs.ts'
import { ago, count, largestUnit } from '../../text/spans.ts'

/** A problem that an admin should look into, and what to do about it. */
export interface Problem {
  tone: 'bad' | 'warn'
  found: string
  mend: string
}

/** Age from which the last backup counts as old, in ms: the hub makes one a day unless hub.json differs. */
const oldBackupMs = 36 * 3_600_000

/** Free space on the disk of the store below which there is a warning, in bytes. */
const littleRoom = 1_000_000_000

/** Time messages may wait in an unread inbox before a warning, in ms. */
const longWaitMs = 86_400_000

/** Lag of the tail from which there is a warning, in ms. */
const tailBehindMs = 30_000

/** Returns the hub's problems, worst first. `now` in ms since 1970. */
export function problemsOf(status: StatusAnswer, now: number): Problem[] {
  return [
    ...storeProblems(status, now),
    ...hubProblems(status),
    ...loadProblems(status),
    ...doorProblems(status, now),
    ...peopleProblems(status, now),
  ].sort((a, b) => Number(b.tone === 'bad') - Number(a.tone === 'bad'))
}

function hubProblems({ hubs }: StatusAnswer): Problem[] {
  const troubles = hubs ? hubTroubles(hubs) : []
  return troubles.map(found => ({ tone: 'bad', found, mend: 'Run claude-net hubs for details.' }))
}

function storeProblems(
  { ready, notReady, store, lastBackup, tail, clock, startedAt }: StatusAnswer,
  now: number,
): Problem[] {
  const problems: Problem[] = []
  if (!ready)
    problems.push({
      tone: 'bad',
      found: `The store accepts no messages: ${notReady ?? 'it refuses writes.'}`,
      mend: 'Run claude-net doctor on the hub’s host for details.',
    })
  if (store.freeBytes < littleRoom)
    problems.push({
      tone: 'bad',
      found: `Only ${bytesInWords(store.freeBytes)} are free on the disk of the store.`,
      mend: 'Free some space: nothing can be stored on a full disk.',
    })
  if (!lastBackup) {
    if (now - Date.parse(startedAt) > oldBackupMs)
      problems.push({ tone: 'bad', found: 'There is no backup.', mend: 'Back up now, and check backup in hub.json.' })
  } else if (now - Date.parse(lastBackup.at) > oldBackupMs)
    problems.push({
      tone: 'warn',
      found: `The last backup was made ${ago(Date.parse(lastBackup.at), now)}.`,
      mend: 'Back up now. The log of the hub has the reason why none was made.',
    })
  if (tail?.trouble)
    problems.push({
      tone: 'bad',
      found: `The tail of the backups is not written: ${tail.trouble}`,
      mend: 'Check the disk that backup.logTo names.',
    })
  else if (tail && tail.behindMs > tailBehindMs)
    problems.push({
      tone: 'warn',
      found: `The tail of the backups is ${largestUnit(tail.behindMs)} behind.`,
      mend: 'The disk that backup.logTo names is slow or full.',
    })
  if (clock?.atStart)
    problems.push({
      tone: 'warn',
      found: 'When the hub started, the host’s clock did not match the end of the history.',
      mend: 'Set the clock. Until then the hub neither expires nor deletes anything.',
    })
  return problems
}

/** Thresholds of a slow store and a busy hub, in ms at the 99th percentile. */
const slowDiskMs = 250
const lateLoopMs = 250

function loadProblems({ load }: StatusAnswer): Problem[] {
  const { commitMs, loopMs } = load ?? {}
  return [
    ...(commitMs && commitMs.p99 > slowDiskMs
      ? [
          {
            tone: 'warn' as const,
            found: `The disk of the store is slow: one batch in a hundred takes ${Math.round(commitMs.p99)} ms or more.`,
            mend: 'Check what else writes to that disk: every send waits for it.',
          },
        ]
      : []),
    ...(loopMs && loopMs.p99 > lateLoopMs
      ? [
          {
            tone: 'warn' as const,
            found: `The hub’s event loop is sometimes delayed by ${Math.round(loopMs.p99)} ms.`,
            mend: 'The host has too little processor time for the hub.',
          },
        ]
      : []),
  ]
}

function doorProblems({ plain, hubKey, nearBounds }: StatusAnswer, _now: number): Problem[] {
  const remote = plain?.members.filter(({ isRemote }) => isRemote) ?? []
  return [
    ...(hubKey === null
      ? [
          {
            tone: 'warn' as const,
            found: 'The hub has no key, so it does not serve TLS.',
            mend: 'The log of the hub has the reason. The hub creates a key when it starts with free space on its disk.',
          },
        ]
      : []),
    ...(remote.length > 0
      ? [
          {
            tone: 'warn' as const,
            found: `${remote
              .slice(0, 5)
              .map(({ name }) => name)
              .join(
                ', ',
              )}${remote.length > 5 ? ` and ${remote.length - 5} more` : ''} connected without TLS from other hosts.`,
            mend: 'Run claude-net pin on each of them.',
          },
        ]
      : []),
    ...nearBounds.map(({ bound, name, percent }) => ({
      tone: percent >= 100 ? ('bad' as const) : ('warn' as const),
      found:
        bound === 'inbox'
          ? `The inbox of ${name} is ${percent} % full.`
          : `${name} has used ${percent} % of its daily limit.`,
      mend:
        bound === 'inbox'
          ? 'A full inbox refuses messages. Check whether anybody reads it.'
          : 'Sends above the limit are refused until the allowance refills.',
    })),
  ]
}

function peopleProblems({ telegram, behind, inboxes, moreInboxes }: StatusAnswer, now: number): Problem[] {
  const old = inboxes.filter(({ oldestAt }) => now - Date.parse(oldestAt) > longWaitMs)
  return [
    ...(telegram?.trouble
      ? [
          {
            tone: 'bad' as const,
            found: `Telegram: ${telegram.trouble}`,
            mend: 'Run claude-net telegram check for details.',
          },
        ]
      : []),
    ...(telegram && telegram.unconfirmed.length > 0
      ? [
          {
            tone: 'warn' as const,
            found: `On Telegram ${telegram.unconfirmed.join(', ')} ${telegram.unconfirmed.length === 1 ? 'is' : 'are'} not confirmed.`,
            mend: 'Run claude-net telegram confirm NAME.',
          },
        ]
      : []),
    ...(behind.length > 0
      ? [
          {
            tone: 'warn' as const,
            found: `${count(behind.length, 'member')} ${behind.length === 1 ? 'runs' : 'run'} an older client than the hub: ${behind
              .slice(0, 5)
              .map(({ name }) => name)
              .join(', ')}${behind.length > 5 ? '…' : ''}.`,
            mend: 'Run claude-net update on each of them.',
          },
        ]
      : []),
    ...(old.length > 0
      ? [
          {
            tone: 'warn' as const,
            found: `Messages to ${old.map(({ name }) => name).join(', ')}${moreInboxes > 0 && old.length === inboxes.length ? ' and others' : ''} have been unread for more than a day.`,
            mend: 'Check whether a session runs there.',
          },
        ]
      : []),
  ]
}
