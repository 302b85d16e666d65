import type { Logger } from 'pino'
import type { Hub } from '../../hub.ts'
import type { Audit } from '../../seeing/audit.ts'
import { personOf } from '../../state/query/telegram.ts'
import type { TelegramUpdate } from '../../state/telegram-commands.ts'
import type { Update } from '../bot.ts'
import type { BridgeStatus } from '../bridge-status.ts'
import type { Destination } from '../destinations.ts'
import { html } from '../html.ts'
import type { OutgoingPost } from '../outgoing-post.ts'
import type { People } from '../people.ts'
import { type Verdict, verdictOn } from './verdict.ts'

export interface UpdateFilterOptions {
  hub: Hub
  people: People
  status: BridgeStatus
  audit: Audit
  log: Logger
  me: { id: number; username: string }
  tell: (destination: Destination, outgoing: OutgoingPost) => void
  onMoved: (from: number, to: number) => Promise<void>
}

/** Passes on the updates that people of hub.json wrote. Records the others in the audit log and replies to nobody. */
export class UpdateFilter {
  readonly #options: UpdateFilterOptions

  constructor(options: UpdateFilterOptions) {
    this.#options = options
  }

  async filter(updates: Update[]): Promise<TelegramUpdate[]> {
    const { onMoved } = this.#options
    const kept: TelegramUpdate[] = []
    for (const update of updates) {
      const verdict = this.#verdictOn(update)
      if (verdict.is === 'taken') {
        kept.push(verdict.update)
        if (verdict.note) this.#refused(verdict.note.user, verdict.note.why)
      } else if (verdict.is === 'refused') this.#refused(verdict.user, verdict.why)
      else if (verdict.is === 'moved') await onMoved(verdict.from, verdict.to)
      else if (verdict.is === 'candidate') await this.#candidate(verdict)
    }
    return kept
  }

  /** Skips an update that cannot be parsed, with a log line; otherwise it would be polled again and block all later ones. */
  #verdictOn(update: Update): Verdict {
    const { people, me, log } = this.#options
    try {
      this.#noteMembership(update)
      const verdict = verdictOn(update, { people, bot: me })
      if (verdict.is === 'taken' && !hasNumbers(verdict.update)) throw new TypeError('its ids are not integers')
      return verdict
    } catch (err) {
      log.warn({ err, update: update.update_id }, 'an update from Telegram cannot be parsed and is skipped')
      return { is: 'ignored' }
    }
  }

  #refused(user: number | undefined, why: string, target: string | null = null): void {
    const address = `telegram:${user ?? 'unknown'}`
    const note = { actor: null, tokenId: null, address, action: 'telegram', target, detail: why }
    this.#options.audit.add({ ...note, result: 'forbidden' })
  }

  /** Records the Telegram user who has a user name of hub.json, and says once that an admin must confirm them. */
  async #candidate({
    person,
    user,
    name,
    message,
  }: Extract<ReturnType<typeof verdictOn>, { is: 'candidate' }>): Promise<void> {
    const { hub, tell } = this.#options
    this.#refused(user, 'not-confirmed', person.name)
    if (personOf(hub.state.db, person.member)?.candidate === user) return
    await hub.submit({ type: 'telegram.candidate', person: person.member, user, name })
    const text = html`I take you for ${person.name}, but an admin of the hub must confirm that once: <code>claude-net telegram confirm ${person.name}</code>. Nothing was sent.`
    tell('group', { post: { text, replyTo: message, isSilent: true } })
  }

  #noteMembership({ my_chat_member: change }: Update): void {
    const { people, status } = this.#options
    if (change?.chat.id !== people.group) return
    const now = change.new_chat_member.status
    if (now === 'left' || now === 'kicked') status.trouble('chat group', `The bot was taken out of the group (${now}).`)
    else status.well('chat group')
  }
}

/** Reports whether an update has the numbers that identify it. */
function hasNumbers({ update, chat, message }: TelegramUpdate): boolean {
  return [update, chat, message].every(Number.isSafeInteger)
}
