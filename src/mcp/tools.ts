import type { CallToolResult, McpServer } from '@modelcontextprotocol/server'
import type { Sent } from '../client/outbox.ts'
import type { Refused } from '../client/refusals.ts'
import { api } from '../protocol/api.ts'
import { visibleLine } from '../text/visible.ts'
import { inboxArguments, sendArguments } from './arguments.ts'
import { ackByIds, readInboxText } from './inbox-tool.ts'
import { descriptions } from './instructions.ts'
import type { Line } from './line.ts'
import { machinesText } from './machines-tool.ts'
import type { ReadState } from './read-state.ts'
import { errorResult, errorText, textResult } from './result.ts'
import { sentText } from './send-tool.ts'

export interface ToolContext {
  /** Opens the line to the hub; throws while this machine has not joined one. */
  line: () => Line
  readState: Pick<ReadState, 'settled' | 'answerShows'>
  /** The id of the message that a call sends, by what Claude Code calls that call, if it does: one call is one message. */
  messageIdOf: (toolUseId: unknown) => string
  /** Hears the id of every message that this session has sent and that wants an answer. */
  onAsked: (id: string) => void
  /** What the user of this session should be told once, at the next answer. */
  takeRemarks: () => string[]
}

/** What the answer of every send ends with: Claude Code shows its user a call as one line, without the recipient. */
const tellUser = 'Tell your user to whom it went and what came of it.'

/** Loaded at once instead of behind a tool search: an agent that must search for its inbox does not look into it. */
const alwaysLoad = { 'anthropic/alwaysLoad': true }

/** Registers the three tools. Every answer first tells what became of sends that had to wait and were refused. */
export function registerTools(server: McpServer, context: ToolContext): void {
  const { readState, messageIdOf, onAsked } = context
  server.registerTool(
    'claude_net_send',
    {
      title: 'Send a message',
      description: descriptions.send,
      inputSchema: sendArguments,
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: true },
      _meta: alwaysLoad,
    },
    ({ to: names, message, reply_to, intent }, { mcpReq }) =>
      answer(context, async opened => {
        const { outbox, client } = opened
        const id = messageIdOf(mcpReq._meta?.['claudecode/toolUseId'])
        const sent = await outbox.send({
          id,
          to: names.length === 1 ? names[0]! : names,
          body: message,
          replyTo: reply_to,
          // An answer that wanted an answer would never end.
          intent: intent ?? (reply_to ? 'inform' : undefined),
        })
        if (intent ? intent !== 'inform' : !reply_to && (await wantsAnswer(opened, names, sent))) onAsked(id)
        return `${sentText(sent, client.now())}\n${tellUser}`
      }),
  )

  server.registerTool(
    'claude_net_inbox',
    {
      title: 'Read the inbox',
      description: descriptions.inbox,
      inputSchema: inboxArguments,
      // An ack marks this machine's own mail as read, and changes nothing else: plan mode does not ask before a read-only tool.
      annotations: { readOnlyHint: true, openWorldHint: true },
      _meta: alwaysLoad,
    },
    async ({ limit, ack }, { mcpReq }) => {
      let shown: string[] = []
      const answered = await answer(context, async opened => {
        if (Array.isArray(ack)) return ackByIds(opened.client, ack)
        const read = await readInboxText(opened, limit)
        shown = read.shown.map(({ id }) => id)
        return read.text
      })
      // Last, when nothing can come between; an answer that was given up is never written, and shows nothing.
      if (!mcpReq.signal.aborted) readState.answerShows(mcpReq.id, shown, ack === true)
      return answered
    },
  )

  server.registerTool(
    'claude_net_machines',
    {
      title: 'List machines and people',
      description: descriptions.machines,
      annotations: { readOnlyHint: true, openWorldHint: true },
      _meta: alwaysLoad,
    },
    () => answer(context, async ({ client }) => machinesText(await client.call(api.listMachines), client.now())),
  )
}

/**
 * Whether a message wants an answer that does not say so itself: the hub takes what goes to `all` or a group for an `inform`.
 * An alias looks like a group from here, so the hub is asked; a hub that does not answer decides nothing.
 */
async function wantsAnswer({ client }: Line, names: readonly string[], sent: Sent): Promise<boolean> {
  if (names.includes('all')) return false
  if (sent.kept || sent.answer.recipients.every(({ name }) => names.includes(name))) return true
  const stored = await client.call(api.getMessage, { params: { id: sent.answer.id } }).catch(() => undefined)
  return stored?.message.intent !== 'inform'
}

/**
 * Runs one tool: earlier acks first, so that this call's reading shows their effect. Before its answer, or its error, stand
 * the notices: the work itself may have sent what waited.
 */
async function answer(
  { line, readState, takeRemarks }: ToolContext,
  work: (line: Line) => Promise<string>,
): Promise<CallToolResult> {
  let opened: Line | undefined
  try {
    opened = line()
    await readState.settled()
    const text = await work(opened)
    return textResult(...takeRemarks(), ...refusedNotices(opened), text)
  } catch (error) {
    return errorResult(error, ...(opened ? refusedNotices(opened) : []))
  }
}

/** What to say of a send that waited and was refused. */
export function refusedText({ id, to, error }: Refused): string {
  const whom = visibleLine([to].flat().join(', '), 100)
  return `A message that waited for the hub was refused and not sent (to ${whom}, ${id}): ${visibleLine(error.message, 300)} ${visibleLine(error.hint, 300)}`
}

/** Most notices of refused sends before one answer. */
const maxNotices = 10

/** A notice for each refused send. Never throws: the answer that it precedes counts for more. */
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
