import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { InboxMessage, Intent } from '../protocol/messages.ts'
import { type SessionDir, writeWhole } from './session-dir.ts'

/** A message in this machine's inbox, as far as it is told before it is read. */
export interface Mail {
  kind: 'mail'
  id: string
  seq: number
  from: string
  fromKind: InboxMessage['fromKind']
  intent: Intent
  /** When it was sent, ms since 1970 by the hub's clock. */
  sentAt: number
  /** Set when it answers a message. */
  replyTo?: string
  /** Set when what it answers is a request of this very session. */
  isAwaited?: true
  /** Set while that gathers answers still: this one waits for the others. */
  isGathered?: true
  /** The project of this machine that it is for. */
  project?: string
  /** The beginning of its text, as its sender wrote it: untrusted. */
  beginning: string
}

/** A question to several of this session is over: all have answered, or nobody need be waited for any more. */
export interface Gathered {
  kind: 'gathered'
  /** Of the question. */
  id: string
  seq: number
  /** The beginning of the question. */
  beginning: string
  /** Who has answered, and where it stands with the others: one line. */
  summary: string
}

/** What became of a message that this session sent. */
export interface Fate {
  kind: 'fate'
  /** Of the message and its recipient. */
  id: string
  message: string
  seq: number
  recipient: string
  status: 'acked' | 'expired'
}

/** What the user of this session should hear of the client itself. */
export interface Remark {
  kind: 'remark'
  id: string
  seq: number
  text: string
}

export type News = Mail | Gathered | Fate | Remark

/** Whether this may wake an idle session, or keep one from ending its turn: it wants an answer, or is one. */
export function mayWake(news: News): boolean {
  if (news.kind === 'mail') return news.intent !== 'inform' || (news.isAwaited === true && !news.isGathered)
  return news.kind === 'gathered'
}

/**
 * What a session should be told, a file for each. Whoever renames a file from `news/` to `told/` tells it, so that of several
 * hooks, wakes and MCP servers of one session one does, once.
 */

/** Puts `news` there, unless the session has it or was told. Answers whether it is new. */
export function putNews(dir: SessionDir, news: News): boolean {
  const name = fileOf(news)
  if (existsSync(join(dir.file('told'), name)) || existsSync(join(dir.file('news'), name))) return false
  writeWhole(join(dir.file('news'), name), JSON.stringify(news))
  return true
}

/** Puts `news` in the place of what was there of it and is not told yet. */
export function replaceNews(dir: SessionDir, news: News): void {
  const file = join(dir.file('news'), fileOf(news))
  if (existsSync(file)) writeWhole(file, JSON.stringify(news))
}

/** Takes what is to be told, oldest first; with `again` also what was told before. `wanted` picks. */
export function takeNews(dir: SessionDir, { again = false, wanted = everything } = {}): News[] {
  const before = again ? list(dir, 'told').flatMap(name => readNews(dir, 'told', name)) : []
  const taken = list(dir, 'news').flatMap(name => {
    const [news] = readNews(dir, 'news', name)
    if (!news || !wanted(news)) return []
    return markTold(dir, name) ? [news] : []
  })
  return [...before.filter(wanted), ...taken].sort((a, b) => a.seq - b.seq)
}

/** The session knows of these: nobody need tell it any more. */
export function markKnown(dir: SessionDir, ids: readonly string[]): void {
  for (const name of list(dir, 'news')) if (ids.some(id => name.includes(id))) markTold(dir, name)
}

/** What was told by a wake that nobody heard is news again. */
export function putBack(dir: SessionDir, ids: ReadonlySet<string>): void {
  for (const name of list(dir, 'told')) if (ids.has(idIn(name))) move(dir, name, 'told', 'news')
}

/** Forgets what is told or to be told and is in none of `ids`; `which` narrows that to one kind. */
export function keepOnly(dir: SessionDir, ids: ReadonlySet<string>, which: News['kind']): void {
  for (const place of ['news', 'told'] as const) {
    for (const name of list(dir, place)) {
      if (name.split('-')[1] === which && !ids.has(idIn(name))) rmSync(join(dir.file(place), name), { force: true })
    }
  }
}

/** Forgets what was told and will never be told again. */
export function forgetTold(dir: SessionDir, news: readonly News[]): void {
  for (const item of news) rmSync(join(dir.file('told'), fileOf(item)), { force: true })
}

/** The ids of the mail that this session was told of, and that may be unread still. */
export function toldMail(dir: SessionDir): string[] {
  return list(dir, 'told').flatMap(name => (name.split('-')[1] === 'mail' ? [idIn(name)] : []))
}

/** Whether mail `id` is still to be told. */
export function hasNews(dir: SessionDir, id: string): boolean {
  return list(dir, 'news').some(name => idIn(name) === id)
}

/** Takes back what is not told yet: it is another session's turn. */
export function takeBack(dir: SessionDir, ids: readonly string[]): void {
  if (ids.length === 0) return
  for (const name of list(dir, 'news'))
    if (ids.includes(idIn(name))) rmSync(join(dir.file('news'), name), { force: true })
}

/** Another session of this machine has taken these messages: this one need not hear of them. */
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
    return false // Another was first.
  }
}

function fileOf({ seq, kind, id }: News): string {
  return `${String(seq).padStart(15, '0')}-${kind}-${id}.json`
}

/** The id in a name that `fileOf` made. */
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
