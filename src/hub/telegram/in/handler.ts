import { setTimeout as delay } from 'node:timers/promises'
import { ClaudeNetError } from '../../../protocol/errors.ts'
import { messageIdFor } from '../../../protocol/ids.ts'
import { maxBodyBytes } from '../../../protocol/messages.ts'
import { type UpdateRow, updatesToHandle } from '../../state/query/telegram.ts'
import { html } from '../html.ts'
import { type Addressed, isRecipient, mentionIn, parseAddressed } from './addressed.ts'
import { isCommand, runCommand } from './commands.ts'
import type { Context, Received } from './context.ts'
import { pressButton, type Reply, sendAddressed, sendCorrection, sendReply } from './send.ts'
import type { Incoming } from './verdict.ts'

export interface HandlerOptions {
  context: Context
  retryMs: number
  /** Sends the person the outcome. */
  reply: (received: Received, reply: Reply) => void
  answerPress: (id: string, word: string) => void
  /** Called with an unexpected error; the update is skipped. */
  onBug: (error: unknown) => void
}

/** Handles stored updates in order. A crash may handle one twice, which still stores its message once. */
export class Handler {
  readonly #options: HandlerOptions
  #wake = Promise.withResolvers<void>()

  constructor(options: HandlerOptions) {
    this.#options = options
  }

  wake(): void {
    this.#wake.resolve()
  }

  async run(stop: AbortSignal): Promise<void> {
    const stopped = new Promise(resolve => stop.addEventListener('abort', resolve, { once: true }))
    while (!stop.aborted) {
      this.#wake = Promise.withResolvers()
      const rows = updatesToHandle(this.#options.context.hub.state.db, 20)
      if (rows.length === 0) await Promise.race([this.#wake.promise, stopped])
      for (const row of rows) {
        if (stop.aborted) return
        if (!(await this.#handle(row))) {
          // The disk is full, or the hub is stopping: retry the same update.
          await delay(this.#options.retryMs, undefined, { signal: stop }).catch(() => {})
          break
        }
      }
    }
  }

  /** Returns false when it has to be retried. */
  async #handle(row: UpdateRow): Promise<boolean> {
    const { context, reply, answerPress, onBug } = this.#options
    const { update, chat, message, at } = row
    const incoming = JSON.parse(row.content) as Incoming
    // Undefined for a person who was removed from hub.json meanwhile.
    const person = context.people.byMember(incoming.person)
    const id = incoming.id ?? oldIdOf(context, row)
    const { isPrivate, attached } = incoming
    const note = attached && `[With this came a ${attached}, which is not passed on.]`
    const received: Received | undefined = person && { person, isPrivate, id, chat, message, at, ...(note && { note }) }
    let answer: Reply | undefined
    try {
      if (received && incoming.press) {
        const { word, reply } = await pressButton(context, received, incoming.press.data)
        answerPress(incoming.press.id, word)
        answer = reply?.text && { ...reply, sign: undefined }
      } else if (received) answer = withAttachmentNote(await this.#answerTo(row, received, incoming), attached)
    } catch (error) {
      if (error instanceof ClaudeNetError && error.code === 'unavailable') return false
      onBug(error)
      answer = { sign: 'failed', text: html`The hub failed on this; its log says why. Nothing was sent.` }
    }
    try {
      await context.hub.submit({ type: 'telegram.handled', update, sent: answer?.sent })
    } catch {
      return false
    }
    if (received && answer) reply(received, answer)
    return true
  }

  async #answerTo({ kind }: UpdateRow, received: Received, incoming: Incoming): Promise<Reply | undefined> {
    const { context } = this.#options
    const text = incoming.text?.toWellFormed().trim()
    if (incoming.isForwarded) return kind === 'edit' ? undefined : forwarded
    if (kind === 'edit') return text ? sendCorrection(context, received, text) : undefined
    if (!text) return onlyText
    if (Buffer.byteLength(text) > maxBodyBytes)
      return { sign: 'unclear', text: html`That is too long. Nothing was sent.` }
    const [, command, to, rest = ''] = /^\/(\w+)(@\w+)?\s*([\s\S]*)$/.exec(text) ?? []
    if (command !== undefined) {
      // In a group it may be for another bot.
      if (!received.isPrivate && to === undefined && !isCommand(command)) return undefined
      return runCommand(context, received, command, rest.trim())
    }
    const parsed = this.#mentioned(text, incoming)
    if (parsed) return sendAddressed(context, received, parsed)
    if (incoming.replyTo !== undefined && (received.isPrivate || !incoming.repliesToOthers)) {
      return sendReply(context, received, incoming.replyTo, text)
    }
    if (incoming.attached) return onlyText
    return {
      sign: 'unclear',
      text: html`Reply to a message of mine, or write <code>/send NAME TEXT</code>. Nothing was sent.`,
    }
  }

  /**
   * Parses the text after the bot's name, or before it where none follows. At the beginning of a message a name may be mistyped; elsewhere,
   * or in a reply to the bot, all names have to exist.
   */
  #mentioned(text: string, { replyTo, repliesToOthers }: Incoming): Addressed | undefined {
    const { hub, bot } = this.#options.context
    const mention = mentionIn(text, bot.username)
    if (!mention) return undefined
    const isName = (typed: string) => isRecipient(hub.state.db, typed)
    const parsed = parseAddressed(mention.behind || mention.before, isName)
    const isAtBeginning = mention.before === '' && (replyTo === undefined || repliesToOthers)
    return parsed && (isAtBeginning || parsed.names.every(isName)) ? parsed : undefined
  }
}

const onlyText: Reply = { sign: 'unclear', text: html`Only text can be passed on. Nothing was sent.` }

const forwarded: Reply = {
  sign: 'unclear',
  text: html`Forwarded messages are not passed on: copy the text into <code>/send NAME TEXT</code>. Nothing was sent.`,
}

/** Adds to the reply to a stored message that its attachment was not passed on. */
function withAttachmentNote(reply: Reply | undefined, attached: string | undefined): Reply | undefined {
  if (reply?.sign !== 'stored' || !attached) return reply
  const left = html`Your text was passed on, the ${attached} was not.`
  return { ...reply, text: reply.text ? html`${left} ${reply.text}` : left }
}

/** Returns the id that hubs up to 0.1.0 gave: an update that one stored, but did not mark as handled, must keep it. */
function oldIdOf({ bot }: Context, { kind, update, chat, message }: UpdateRow): string {
  return messageIdFor(`telegram ${bot.id} ${chat} ${message}${kind === 'edit' ? ` edit ${update}` : ''}`)
}
