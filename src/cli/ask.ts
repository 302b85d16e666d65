import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Command, InvalidArgumentError, Option } from 'commander'
import { startDrainer } from '../client/drainer.ts'
import { followEvents } from '../client/follow-events.ts'
import type { HubClient } from '../client/hub-client.ts'
import { openMachine } from '../client/machine.ts'
import { withinText } from '../client/timing.ts'
import { sentText } from '../mcp/send-tool.ts'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { defaultWithinS, type Intent, isBlank, type MessageWithReceipts } from '../protocol/messages.ts'
import { recipientsIn } from '../protocol/names.ts'
import { gatherInWords } from '../text/gather.ts'
import { visibleJson } from '../text/visible.ts'
import { close } from './as-machine.ts'
import { forTerminal } from './inbox.ts'
import { exit } from './output.ts'
import { scopeHere } from './scope-here.ts'
import { textHelp, textOf } from './text-argument.ts'
import { UsageError } from './usage-error.ts'
import { isInsideClaude, withheld } from './withheld.ts'

interface AskOptions {
  within?: number
  intent?: Intent
  ack?: boolean
  id?: string
  allowSecret?: boolean
  json?: boolean
}

const help = `
Exit status: 0 if everyone has answered, 3 if some or all have not. The command ends when all have answered or refused, when at least one has
answered and nobody who is online still owes an answer, or when the time is over. Answers are ordinary messages and stay unread without --ack.
Ctrl-C ends the waiting and nothing else.
${textHelp}`

export function askCommand(): Command {
  return new Command('ask')
    .description('Ask one or more members, and print their answers as they arrive')
    .argument('<to>', 'A member, several separated by commas, a group, or all')
    .argument('<text...>', 'The question, or - to read it from standard input')
    .option('--within <time>', 'Wait at most this long, such as 90s, 30m or 2h (default 10m)', toWithin)
    .addOption(
      new Option('--intent <intent>', 'Intent of the question').choices(['request', 'urgent']).default('request'),
    )
    .option('--ack', 'Mark the printed answers as read')
    .option('--id <id>', 'Id of the question, a UUID; repeat the command with it to continue waiting')
    .option('--allow-secret', 'Send the text even if it appears to contain a key or a token')
    .option('--json', 'Print one JSON object per line')
    .passThroughOptions()
    .addHelpText('after', help)
    .action(async (to: string, words: string[], _options: AskOptions, command: Command) => {
      const body = await textOf(command, words)
      const options = command.opts<AskOptions>()
      if (isBlank(body)) throw new UsageError('The text is blank, so nothing was sent.', 'Give it some words.')
      if (!options.allowSecret) (await import('../client/secrets.ts')).refuseSecrets(body)
      await ask(recipientsIn(to), body, options)
    })
}

async function ask(names: string[], body: string, options: AskOptions): Promise<void> {
  const machine = openMachine()
  const { client, outbox, home } = machine
  const say = (text: string, data: object) =>
    process.stdout.write(`${options.json ? visibleJson(data) : `${text}\n`}\n`)
  let asked: string | undefined
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      outbox.keepUnderWay()
      startDrainer(home)
      const where = asked ? ` claude-net history ${asked} says how it stands.` : ''
      process.stderr.write(`claude-net: not waiting any more; answers go on coming into the inbox.${where}\n`)
      process.exit(exit.interrupted)
    })
  }
  const withinS = options.within ?? defaultWithinS
  try {
    const sent = await outbox.send({
      id: options.id,
      to: names.length === 1 ? names[0]! : names,
      body,
      intent: options.intent,
      withinS,
      fromProject: scopeHere(home, machine.config) || undefined,
    })
    say(sentText(sent, client.now()), { event: 'asked', ...sent })
    if (sent.kept) {
      process.stderr.write('claude-net: does not wait for answers while the hub is away; they arrive in the inbox.\n')
      process.exitCode = exit.unreachable
      return
    }
    asked = sent.answer.id
    const found = await gather(client, asked, {
      endsAt: performance.now() + withinS * 1000,
      onAnswer: async answer => {
        const message = withheld(answer)
        say(forTerminal(message, { you: machine.config.machine, now: client.now() }), { event: 'answer', message })
        if (message.held && isInsideClaude()) return
        const ids = [message.id]
        await client.call(api.markFetched, { body: { ids, session: `cli-${process.pid}` } })
        if (options.ack) await client.call(api.ackInbox, { body: { ids } })
      },
    })
    const { receipts } = found
    const isAll = receipts.every(({ answeredAt }) => answeredAt !== undefined)
    say(`${gatherInWords(receipts, client.now())}.`, { event: 'done', all: isAll, receipts })
    process.exitCode = isAll ? exit.done : exit.unanswered
  } finally {
    await close(machine, () => outbox.drain(), process.stderr)
  }
}

/** Longest time between two requests for the state of the question, in ms, should an event get lost. */
const pauseMs = 5000

/** Delay between an event and the request that follows it, in ms: answers that arrive together are read together. */
const burstMs = 100

/**
 * Waits until the question `id` is over, and hands over the first answer of each recipient as it comes. `endsAt` is when its time is over here, by
 * `performance.now()`: for hubs and questions of which the hub keeps none. A hub that is away is waited for.
 */
async function gather(
  client: HubClient,
  id: string,
  { endsAt, onAnswer }: { endsAt: number; onAnswer: (answer: MessageWithReceipts['message']) => Promise<void> },
): Promise<MessageWithReceipts> {
  const enough = new AbortController()
  const heard = new EventTarget()
  const following = followOn(client, heard, enough.signal)
  const printed = new Set<string>()
  let last: MessageWithReceipts | undefined
  let next: Promise<void> | undefined
  try {
    for (;;) {
      // Subscribed before the request, so that no event in between is missed. A subscription without an event yet is kept.
      next ??= once(heard, 'event', { signal: enough.signal }).then(
        () => (next = undefined),
        () => {},
      )
      const found = await client.call(api.getMessage, { params: { id } }).catch(unlessAway)
      for (const { answerId } of found?.receipts ?? []) {
        if (answerId === undefined || printed.has(answerId)) continue
        const answer = await client.call(api.getMessage, { params: { id: answerId } }).catch(unlessAway)
        if (!answer) break
        printed.add(answerId)
        await onAnswer(answer.message).catch(unlessAway)
      }
      last = found ?? last
      const isTimeOver = performance.now() >= endsAt
      if (last && isOver(last, isTimeOver) && last.receipts.every(({ answerId }) => !answerId || printed.has(answerId)))
        return last
      // Long after its time the hub is still unreachable.
      if (last && performance.now() > endsAt + pauseMs) return last
      const leftMs = Math.min(pauseMs, last?.gather?.leftMs ?? pauseMs, Math.max(endsAt - performance.now(), burstMs))
      const timer = new AbortController()
      await Promise.race([next, delay(leftMs + 1, undefined, { signal: timer.signal }).catch(() => {})])
      timer.abort()
      await delay(burstMs)
    }
  } finally {
    enough.abort()
    await following
  }
}

/** Dispatches an event on `heard` when something happened that may concern a question. */
async function followOn(client: HubClient, heard: EventTarget, signal: AbortSignal): Promise<void> {
  const tell = () => heard.dispatchEvent(new Event('event'))
  const onAway = ({ message }: Error) => process.stderr.write(`claude-net: ${message} Trying again until it is back.\n`)
  try {
    for await (const _ of followEvents(client, { signal, onOpen: tell, onAway })) tell()
  } catch {
    // The requests for the question report the same refusal.
  }
}

function isOver({ gather, receipts }: MessageWithReceipts, isTimeOver: boolean): boolean {
  if (gather) return !gather.open
  return (
    isTimeOver || receipts.every(({ status, answeredAt }) => answeredAt || status === 'refused' || status === 'expired')
  )
}

/** A hub that is away, or has too much to do, is asked again; anything else is an error. */
function unlessAway(error: unknown): undefined {
  if (error instanceof ClaudeNetError && !error.settled) return undefined
  throw error
}

function toWithin(text: string): number {
  try {
    return withinText(text)
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`)
  }
}
