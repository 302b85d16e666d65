import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { InboxMessage, Intent } from '../protocol/messages.ts'
import { type SessionDir, writeWhole } from './session-dir.ts'

/** A message in this machine's inbox, as it is announced before it is read. */
export interface Mail {
  kind: 'mail'
  id: string
  seq: number
  from: string
  fromKind: InboxMessage['fromKind']
  intent: Intent
  /** Time at which it was sent, ms since 1970 by the hub's clock. */
  sentAt: number
  /** Id of the message that it answers. */
  replyTo?: string
  /** Set when it answers a request of this very session. */
  isAwaited?: true
  /** Set while that request still gathers answers: this one waits for the others. */
  isGathered?: true
  /** Project of this machine that it is for. */
  project?: string
  /** The beginning of its text, as its sender wrote it: untrusted. */
  beginning: string
}

/** A question of this session to several is over: all have answered, or no further answer is awaited. */
export interface Gathered {
  kind: 'gathered'
  /** Id of the question. */
  id: string
  seq: number
  /** The beginning of the question. */
  beginning: string
  /** One line: the members that have answered, and the state of the others. */
  summary: string
}

/** Outcome of a message that this session sent. */
export interface Fate {
  kind: 'fate'
  /** Id of the message, and its recipient. */
  id: string
  message: string
  seq: number
  recipient: string
  status: 'acked' | 'expired'
}

/** A fact about the client itself for the user of this session. */
export interface Remark {
  kind: 'remark'
  id: string
  seq: number
  text: string
}

export type News = Mail | Gathered | Fate | Remark

/**
 * Reports whether a notice may wake an idle session, or keep one from ending its turn: it is a request or urgent, an awaited answer, or a
 * finished question.
 */
export function mayWake(news: News): boolean {
  if (news.kind === 'mail') return news.intent !== 'inform' || (news.isAwaited === true && !news.isGathered)
  return news.kind === 'gathered'
}

/**
 * Notices for a session, one file each. The process that renames a file from `news/` to `told/` announces it, so that of several
 * hooks, wakes and MCP servers of one session exactly one does.
 */

/** Adds `news`, unless it was added or announced before. Returns whether it is new. */
export function putNews(dir: SessionDir, news: News): boolean {
  const name = fileOf(news)
  if (existsSync(join(dir.file('told'), name)) || existsSync(join(dir.file('news'), name))) return false
  writeWhole(join(dir.file('news'), name), JSON.stringify(news))
  return true
}

/** Replaces the notice of the same id, if it is not announced yet. */
export function replaceNews(dir: SessionDir, news: News): void {
  const file = join(dir.file('news'), fileOf(news))
  if (existsSync(file)) writeWhole(file, JSON.stringify(news))
}

/** Takes the notices to announce, oldest first; with `again` also those announced before. `wanted` filters. */
export function takeNews(dir: SessionDir, { again = false, wanted = everything } = {}): News[] {
  const before = again ? list(dir, 'told').flatMap(name => readNews(dir, 'told', name)) : []
  const taken = list(dir, 'news').flatMap(name => {
    const [news] = readNews(dir, 'news', name)
    if (!news || !wanted(news)) return []
    return markTold(dir, name) ? [news] : []
  })
  return [...before.filter(wanted), ...taken].sort((a, b) => a.seq - b.seq)
}

/** Marks these messages as announced: the session is about to see them. */
export function markKnown(dir: SessionDir, ids: readonly string[]): void {
  for (const name of list(dir, 'news')) if (ids.some(id => name.includes(id))) markTold(dir, name)
}

/** Makes notices that were announced by an unseen wake pending again. */
export function putBack(dir: SessionDir, ids: ReadonlySet<string>): void {
  for (const name of list(dir, 'told')) if (ids.has(idIn(name))) move(dir, name, 'told', 'news')
}

/** Removes the notices of kind `which`, announced or not, whose ids are not in `ids`. */
export function keepOnly(dir: SessionDir, ids: ReadonlySet<string>, which: News['kind']): void {
  for (const place of ['news', 'told'] as const) {
    for (const name of list(dir, place)) {
      if (name.split('-')[1] === which && !ids.has(idIn(name))) rmSync(join(dir.file(place), name), { force: true })
    }
  }
}

/** Removes notices that were announced and will not be announced again. */
export function forgetTold(dir: SessionDir, news: readonly News[]): void {
  for (const item of news) rmSync(join(dir.file('told'), fileOf(item)), { force: true })
}

/** Returns the ids of the messages that were announced to this session and may still be unread. */
export function toldMail(dir: SessionDir): string[] {
  return list(dir, 'told').flatMap(name => (name.split('-')[1] === 'mail' ? [idIn(name)] : []))
}

/** Reports whether notice `id` is still to be announced. */
export function hasNews(dir: SessionDir, id: string): boolean {
  return list(dir, 'news').some(name => idIn(name) === id)
}

/** Removes notices that are not announced yet: it is another session's turn. */
export function takeBack(dir: SessionDir, ids: readonly string[]): void {
  if (ids.length === 0) return
  for (const name of list(dir, 'news'))
    if (ids.includes(idIn(name))) rmSync(join(dir.file('news'), name), { force: true })
}

/** Removes the notices of messages that another session of this machine has fetched. */
export function dropNews(dir: SessionDir, ids: readonly string[]): void {
  for (const place of ['news', 'told'] as const)
    for (const name of list(dir, place))
      if (ids.some(id => name.includes(id))) rmSync(join(dir.file(place), name), { force: true })
}

type Place = 'news' | 'told'

const everything = (_: News): boolean => true

function markTold(dir: SessionDir, name: string): boolean {
  return move(dir, name, 'news', 'told')
}

function move(dir: SessionDir, name: string, from: Place, to: Place): boolean {
  try {
    renameSync(join(dir.file(from), name), join(dir.file(to), name))
    return true
  } catch {
    return false // Another process has renamed it already.
  }
}

function fileOf({ seq, kind, id }: News): string {
  return `${String(seq).padStart(15, '0')}-${kind}-${id}.json`
}

/** Returns the id in a name that `fileOf` made. */
function idIn(name: string): string {
  return name
    .split('-')
    .slice(2)
    .join('-')
    .replace(/\.json$/, '')
}

function list(dir: SessionDir, place: Place): string[] {
  try {
    return readdirSync(dir.file(place))
      .filter(name => name.endsWith('.json'))
      .sort()
  } catch {
    return []
  }
}

function readNews(dir: SessionDir, place: Place, name: string): News[] {
  try {
    return [JSON.parse(readFileSync(join(dir.file(place), name), 'utf8')) as News]
  } catch {
    return []
  }
}
