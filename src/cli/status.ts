import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import type { StatusAnswer } from '../protocol/status.ts'
import { bytesInWords } from '../text/bytes.ts'
import { hubTroubles } from '../text/hubs.ts'
import { presenceInWords } from '../text/presence.ts'
import { ago, count, largestUnit } from '../text/spans.ts'
import { visibleLine } from '../text/visible.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print, table } from './output.ts'

/** Most members without TLS that are named, the latest first. */
const maxPlain = 10

export function statusCommand(): Command {
  const command = new Command('status').description(
    'Show the state of the hub: store, backup, Telegram, machines and unread messages',
  )
  return withAdminOptions(command).action((options: AdminOptions) =>
    asAdmin(options, async (client, url) => {
      const status = await client.call(api.status)
      print(options, status, () => screen(status, url?.origin ?? client.transport.label, client.now()))
      // For scripts: a hub that accepts no messages is a failure.
      if (!status.ready) process.exitCode = 1
    }),
  )
}

/** All of it on one screen. */
function screen(status: StatusAnswer, origin: string, now: number): string {
  const { version, startedAt, ready, notReady, store, lastBackup, members, behind, unread, oldestUnreadAt } = status
  const since = (at: string) => ago(Date.parse(at), now)
  const facts = [
    ['Hub', `${version} at ${origin}, started ${since(startedAt)}`],
    ['Ready', ready ? 'yes: a write has just been stored' : `NO: ${notReady}`],
    [
      'Store',
      `${bytesInWords(store.bytes)}, schema ${store.schema}, entry ${store.seq}; ${bytesInWords(store.freeBytes)} free`,
    ],
    ...(status.clock ? [['Clock', clockInWords(status.clock, now)]] : []),
    ['Backup', lastBackup ? `${since(lastBackup.at)}, ${bytesInWords(lastBackup.bytes)}` : 'none yet'],
    ...(status.tail ? [['Tail', tailInWords(status.tail)]] : []),
    ...(status.hubs ? [['Hubs', hubsInWords(status.hubs)]] : []),
    ['Telegram', telegramInWords(status.telegram, now)],
    ['Machines', `${members.machines}, ${members.onlineMachines} online`],
    ['People', `${members.humans}, ${members.onlineHumans} online`],
    ...(members.services > 0 ? [['Services', `${members.services}`]] : []),
    ['Behind', behindInWords(behind)],
    ...(status.plain ? [['TLS', `${status.hubKey ?? 'NO KEY'}; ${plainInWords(status.plain, now)}`]] : []),
    ...status.nearBounds.map(near => ['Near its bound', boundInWords(near)]),
    ['Unread', oldestUnreadAt ? `${count(unread, 'message')}, the oldest sent ${since(oldestUnreadAt)}` : 'nothing'],
  ]
  return [table(facts as [string, string][]), ...inboxesInWords(status, now)].join('\n')
}

function boundInWords({ bound, name, percent }: StatusAnswer['nearBounds'][number]): string {
  return bound === 'inbox'
    ? `the inbox of ${name} is ${percent} % full`
    : `${name} has sent ${percent} % of what it may in a day`
}

function clockInWords({ byMs, atStart, at, steps }: NonNullable<StatusAnswer['clock']>, now: number): string {
  const amount = `${byMs < 0 ? '-' : '+'}${largestUnit(Math.abs(byMs))}`
  const what = atStart ? `is ${amount} off the end of the history since the start` : `was set by ${amount}`
  const more = steps > 1 ? `, ${count(steps, 'step')} in all` : ''
  return `${what} (${ago(Date.parse(at), now)}${more}); deletions and expiries do not depend on it`
}

function tailInWords({ behind, behindMs, bytes, trouble }: NonNullable<StatusAnswer['tail']>): string {
  const seconds = `${Math.max(1, Math.round(behindMs / 1000))} s`
  const place = behind === 0 ? 'up to date' : `${count(behind, 'entry', 'entries')} and ${seconds} behind`
  return [
    `${place}, ${bytesInWords(bytes)}`,
    ...(trouble === null ? [] : [`TROUBLE: ${visibleLine(trouble, 300)}`]),
  ].join('; ')
}

function hubsInWords(answer: NonNullable<StatusAnswer['hubs']>): string {
  const names = answer.hubs.map(({ name, self, duty }) => `${name}${self ? ' (this)' : ''}${duty ? ' (acts)' : ''}`)
  const troubles = hubTroubles(answer).map(line => `TROUBLE: ${visibleLine(line, 300)}`)
  return [names.join(', '), ...troubles].join('; ')
}

function telegramInWords(telegram: StatusAnswer['telegram'], now: number): string {
  if (!telegram) return 'none'
  const { bot, lastPollAt, trouble, waiting, unconfirmed, carriedBy } = telegram
  const answered = lastPollAt === null ? 'has not answered yet' : `answered ${ago(Date.parse(lastPollAt), now)}`
  return [
    `${carriedBy === undefined ? `${bot === null ? 'the bot' : `@${bot}`} ${answered}` : carrierInWords(carriedBy)}, ${waiting === 0 ? 'nothing' : count(waiting, 'message')} on the way`,
    ...(unconfirmed.length > 0 ? [`not confirmed: ${unconfirmed.join(', ')}`] : []),
    ...(trouble === null ? [] : [`TROUBLE: ${visibleLine(trouble, 300)}`]),
  ].join('; ')
}

/** Names the hub that delivers to Telegram, where that is not the one that was asked. */
export function carrierInWords(hub: string | null): string {
  return hub === null ? 'no hub carries it yet' : `carried by the hub ${hub}`
}

function behindInWords(behind: StatusAnswer['behind']): string {
  if (behind.length === 0) return "no session: all clients are the hub's version"
  return `${behind.map(({ name, clients }) => `${name} (${clients.join(', ')})`).join(', ')}: run claude-net update there`
}

function plainInWords({ from, members }: NonNullable<StatusAnswer['plain']>, now: number): string {
  const rule = { allow: '', loopback: " (refused from elsewhere than the hub's host)", refuse: ' (refused)' }[from]
  if (members.length === 0) return `no member without it within a day${rule}`
  const shown = members.slice(0, maxPlain).map(({ name, lastAt, isRemote }) => {
    return `${name} ${ago(Date.parse(lastAt), now)}${isRemote ? '' : " from the hub's host"}`
  })
  const more = members.length > maxPlain ? ` and ${members.length - maxPlain} more` : ''
  return `${count(members.length, 'member')} without it within a day${rule}: ${shown.join(', ')}${more}`
}

function inboxesInWords({ inboxes, moreInboxes }: StatusAnswer, now: number): string[] {
  if (inboxes.length === 0) return []
  const rows = inboxes.map(({ name, unread, oldestAt, ...presence }) => [
    name,
    String(unread),
    ago(Date.parse(oldestAt), now),
    presenceInWords(presence, now),
  ])
  return [
    '',
    table([['INBOX', 'UNREAD', 'OLDEST', 'STATE'], ...rows]),
    ...(moreInboxes > 0 ? [`and ${count(moreInboxes, 'more inbox', 'more inboxes')} with unread messages`] : []),
  ]
}
