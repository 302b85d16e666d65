import type { Sent } from '../client/outbox.ts'
import type { Refused } from '../client/refusals.ts'
import { readTiming } from '../client/timing.ts'
import { maxLine } from '../protocol/activity.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { Intent } from '../protocol/messages.ts'
import { addressOf } from '../protocol/projects.ts'
import { meRoutes } from '../protocol/routes/me.ts'
import { messagesRoutes } from '../protocol/routes/messages.ts'
import { visibleLine } from '../text/visible.ts'
import { ownZone } from '../text/zone.ts'
import { readInboxArguments, readMachinesArguments, readSendArguments } from './arguments.ts'
import { ackByIds, readInboxText } from './inbox-tool.ts'
import type { Line } from './line.ts'
import { machinesText } from './machines-tool.ts'
import type { ReadState } from './read-state.ts'
import { errorResult, errorText, type ToolResult, textResult } from './result.ts'
import { sentText, timingLines } from './send-tool.ts'
import type { ToolName } from './tool-list.ts'

export interface ToolContext {
  /** Opens the line to the hub; throws while this machine has not joined. */
  line: () => Line
  readState: Pick<ReadState, 'settled' | 'answerShows'>
  /** Returns the message id for a send, derived from Claude Code's id of the call if there is one: a repeated call is the same message. */
  messageIdOf: (toolUseId: unknown) => string
  /** Called with the id of each message of this session that expects an answer; `ofSeveral` if several recipients may answer. */
  onAsked: (id: string, ofSeveral: boolean) => void
  /** Removes and returns texts to show once, in the next result. */
  takeRemarks: () => string[]
}

/** Last line of each send's result: Claude Code shows its user a call as one line, without the recipient. */
const tellUser = 'Tell your user to whom it went and what came of it.'

/** One `tools/call`. */
export interface ToolCall {
  id: string | number
  /** Claude Code's id of this call, if it sends one. */
  toolUseId: unknown
  /** Aborted when the client no longer waits for the result. */
  signal: AbortSignal
}

/** Runs one tool with its arguments as received. Never throws: errors become results. */
export type RunTool = (given: object, call: ToolCall) => Promise<ToolResult>

/** Returns the function of each tool. Every result begins with notices of waiting sends that were refused. */
export function toolRuns(context: ToolContext): Record<ToolName, RunTool> {
  const { readState, messageIdOf, onAsked } = context
  return {
    claude_net_send: withArguments('claude_net_send', readSendArguments, (taken, { toolUseId }) =>
      answer(context, async opened => {
        const { to: names, message, reply_to, at, expires, within } = taken
        const intent = intentMeant(taken)
        const { refuseSecrets } = await import('../client/secrets.ts')
        refuseSecrets(message)
        const { outbox, client, scope, timeZone = ownZone() } = opened
        const now = client.now()
        const timing = readTiming({ at, expires }, { now, timeZone })
        const id = messageIdOf(toolUseId)
        const sent = await outbox.send({
          id,
          to: names.length === 1 ? names[0]! : names,
          body: message,
          replyTo: reply_to,
          // If answers expected answers, a conversation would never end.
          intent: intent ?? (reply_to ? 'inform' : undefined),
          ...timing,
          withinS: within,
          fromProject: scope || undefined,
        })
        if (intent ? intent !== 'inform' : !reply_to && (await wantsAnswer(opened, names, sent)))
          onAsked(id, mayBeSeveral(names, sent))
        const times = timingLines(sent, { ...timing, timeZone, now })
        return [sentText(sent, client.now()), ...times, tellUser].join('\n')
      }),
    ),
    claude_net_inbox: withArguments('claude_net_inbox', readInboxArguments, async ({ limit, ack }, call) => {
      let shown: string[] = []
      const answered = await answer(context, async opened => {
        if (Array.isArray(ack)) return ackByIds(opened, ack)
        const read = await readInboxText(opened, limit)
        shown = read.shown.map(({ id }) => id)
        return read.text
      })
      // After the last await: a cancelled result is never written, and so shows nothing.
      if (!call.signal.aborted) readState.answerShows(call.id, shown, ack === true)
      return answered
    }),
    claude_net_machines: withArguments('claude_net_machines', readMachinesArguments, ({ status }) =>
      answer(context, async ({ client, scope, setStatus }) => {
        const set = status === undefined ? [] : [statusSet(status, await setStatus(status))]
        return [...set, machinesText(await client.call(meRoutes.listMachines), client.now(), scope)].join('\n')
      }),
    ),
  }
}

/** Returns the outcome of setting a status line. */
function statusSet(given: string, line: string): string {
  if (line === '') return 'This session says nothing of itself now.'
  const cut = line.endsWith('…') && !given.endsWith('…') ? `, cut to ${maxLine} characters` : ''
  return `This session says${cut}: > ${line}`
}

/** Parses the arguments before `run`; if they are invalid, the result is an error. */
function withArguments<Taken>(
  name: ToolName,
  read: (given: object) => Taken,
  run: (taken: Taken, call: ToolCall) => Promise<ToolResult>,
): RunTool {
  return async (given, call) => {
    let taken: Taken
    try {
      taken = read(given)
    } catch (error) {
      const text = `Input validation error: Invalid arguments for tool ${name}: ${(error as Error).message}`
      return { ...textResult(text), isError: true }
    }
    return run(taken, call)
  }
}

/** Returns the intent: `within` without an intent makes the message a request. Throws if `within` is combined with inform. */
function intentMeant({
  intent,
  within,
}: {
  intent: Intent | undefined
  within: number | undefined
}): Intent | undefined {
  if (within === undefined) return intent
  if (intent === 'inform')
    throw new ClaudeNetError(
      'invalid',
      'An inform wants no answer, so there is nothing to wait for within a time.',
      'Leave out within, or send it as a request.',
    )
  return intent ?? 'request'
}

/** Reports whether several recipients may answer a send. While the message is kept, its names are not resolved, so they may. */
function mayBeSeveral(names: readonly string[], sent: Sent): boolean {
  if (sent.kept) return true
  return names.length > 1 || sent.answer.recipients.filter(({ status }) => status !== 'refused').length > 1
}

/**
 * Reports whether a message without an explicit intent expects an answer: the hub stores one to `all` or a group as an `inform`. An alias
 * looks like a group here, so the hub is asked; if that fails, an answer is assumed to be expected.
 */
async function wantsAnswer({ client }: Line, names: readonly string[], sent: Sent): Promise<boolean> {
  if (names.includes('all')) return false
  const members = names.map(name => addressOf(name).name)
  if (sent.kept || sent.answer.recipients.every(({ name }) => members.includes(name))) return true
  const stored = await client.call(messagesRoutes.getMessage, { params: { id: sent.answer.id } }).catch(() => undefined)
  return stored?.message.intent !== 'inform'
}

/**
 * Runs one tool, after pending acks, so that its reading reflects them. Notices precede its text or error; they are read afterwards, since
 * the work itself may have sent waiting messages.
 */
async function answer(
  { line, readState, takeRemarks }: ToolContext,
  work: (line: Line) => Promise<string>,
): Promise<ToolResult> {
  let opened: Line | undefined
  try {
    opened = line()
    await readState.settled()
    const text = await work(opened)
    const stale = opened.client.staleness
    return textResult(...takeRemarks(), ...refusedNotices(opened), ...(stale ? [stale] : []), text)
  } catch (error) {
    return errorResult(error, ...(opened ? refusedNotices(opened) : []))
  }
}

/** Returns the notice of a send that waited and was refused. */
export function refusedText({ id, to, error }: Refused): string {
  const whom = visibleLine([to].flat().join(', '), 100)
  return `A message that waited for the hub was refused and not sent (to ${whom}, ${id}): ${visibleLine(error.message, 300)} ${visibleLine(error.hint, 300)}`
}

/** Most notices of refused sends before one result. */
const maxNotices = 10

/** Returns a notice for each refused send. Never throws: the result that it precedes matters more. */
function refusedNotices({ outbox }: Line): string[] {
  try {
    const refused = outbox.takeRefused()
    const more = refused.length - maxNotices
    return [
      ...refused.slice(0, maxNotices).map(refusedText),
      ...(more > 0 ? [`${more} more messages that waited were refused; they are in the folder outbox/refused.`] : []),
    ]
  } catch (error) {
    return [`Whether sends that waited were refused could not be read: ${errorText(error)}`]
  }
}
