import { memberMeant, nearestNames } from '../../state/query/find-member.ts'
import { mutesOf, ownedMachines } from '../../state/query/telegram.ts'
import { type Html, html, joined } from '../html.ts'
import { untilClock, wallClock } from '../quiet.ts'
import { isRecipient, parseAddressed } from './addressed.ts'
import { openConsole } from './console.ts'
import type { Context, Received } from './context.ts'
import { later, laterUsage } from './later.ts'
import { inboxes, machines, oneMessage, status, whoami } from './overviews.ts'
import { type Reply, sendAddressed } from './send.ts'

/** A command of the bot. `run` gets the text after its name. */
export interface BotCommand {
  /** Shown in the menu of Telegram. */
  description: string
  /** Syntax, as help shows it. */
  usage: string
  run: (context: Context, received: Received, rest: string) => Promise<Reply> | Reply
}

/** Commands of the bot. None of them creates a member, ends a token, or approves anything. */
export const commands: Record<string, BotCommand> = {
  send: {
    description: 'write to a machine, a person, a group or all; to several as NAME, NAME: TEXT',
    usage: '/send NAME TEXT',
    run: (context, received, rest) => {
      const parsed = parseAddressed(rest, name => isRecipient(context.hub.state.db, name))
      return parsed ? sendAddressed(context, received, parsed) : usage('send')
    },
  },
  later: {
    description: 'write a message that goes out at a given time; list or cancel those',
    usage: laterUsage,
    run: later,
  },
  machines: {
    description: 'all machines, and which are online',
    usage: '/machines',
    run: (context, received) => ({ text: machines(context, received) }),
  },
  inbox: {
    description: 'what waits for you and your machines',
    usage: '/inbox, or /inbox NUMBER for one message whole',
    run: (context, received, rest) => {
      const [, seq] = /^#?(\d{1,15})$/.exec(rest) ?? []
      return seq === undefined ? inboxes(context, received, rest) : oneMessage(context, received, Number(seq))
    },
  },
  status: {
    description: 'the state of the bridge and the hub',
    usage: '/status',
    run: context => ({ text: status(context) }),
  },
  mute: {
    description: 'hold messages back for a while',
    usage: '/mute NAME|all 1h, or until 08:00',
    run: mute,
  },
  unmute: {
    description: 'let it come again',
    usage: '/unmute NAME|all',
    run: (context, received, rest) => setMute(context, received, rest || 'all', 0),
  },
  follow: {
    description: 'when to notify you of messages that your machine leaves unread, and of its permission prompts',
    usage: '/follow MACHINE 5m|always|off|default, or /follow MACHINE prompts on|off',
    run: follow,
  },
  console: {
    description: 'a link that opens the console in your browser; in a private chat',
    usage: '/console',
    run: openConsole,
  },
  here: {
    description: 'get your messages in this chat',
    usage: '/here',
    run: async ({ hub }, { person, isPrivate }) => {
      await hub.submit({ type: 'telegram.place', person: person.member, isPrivate })
      return {
        text: html`Your messages come to this ${isPrivate ? 'private chat' : 'group'} now.`,
      }
    },
  },
  whoami: {
    description: 'who you are here',
    usage: '/whoami',
    run: (context, received) => ({ text: whoami(context, received) }),
  },
  help: { description: 'what you can do', usage: '/help', run: () => ({ text: help() }) },
  start: {
    description: 'what you can do',
    usage: '/start',
    run: (context, received) => ({ text: html`${whoami(context, received)}\n\n${help()}` }),
  },
}

/** Runs `/name rest`. Returns the list of commands for an unknown one. */
export async function runCommand(context: Context, received: Received, name: string, rest: string): Promise<Reply> {
  if (!isCommand(name)) return { text: html`There is no /${name.slice(0, 32)}.\n\n${help()}` }
  return commands[name.toLowerCase()]!.run(context, received, rest)
}

export function isCommand(name: string): boolean {
  return Object.hasOwn(commands, name.toLowerCase())
}

function help(): Html {
  const lines = Object.entries(commands)
    .filter(([name]) => name !== 'start')
    .map(([, { usage, description }]) => html`<code>${usage}</code>: ${description}`)
  return html`Reply to a message of mine, and whoever wrote it gets your answer.\n${joined(lines, '\n')}\nOn your messages 👀 says stored, 👍 read. An edit within 10 minutes goes out as a correction; deleting a message here takes nothing back.`
}

function usage(name: string): Reply {
  return { sign: 'unclear', text: html`Usage: <code>${commands[name]!.usage}</code>` }
}

const unitS = { m: 60, h: 3600, d: 86_400 } as const
const defaultMuteS = 3600
const longestMuteS = 30 * 86_400

async function mute(context: Context, received: Received, rest: string): Promise<Reply> {
  const [name, forHowLong = '', ...more] = rest.split(/\s+/).filter(Boolean)
  if (name === undefined || more.length > 0) return usage('mute')
  const spanS = spanOf(forHowLong, received)
  if (spanS === undefined || spanS > longestMuteS) return usage('mute')
  return setMute(context, received, name, spanS)
}

function spanOf(text: string, { person }: Received): number | undefined {
  if (text === '') return defaultMuteS
  const [, n, unit] = /^(\d{1,4})([mhd])$/.exec(text) ?? []
  if (n !== undefined) return Number(n) > 0 ? Number(n) * unitS[unit as keyof typeof unitS] : undefined
  if (!/^([01]\d|2[0-3]):[0-5]\d$/.test(text)) return undefined
  return Math.round(untilClock(text, Date.now(), person.settings.timezone) / 1000)
}

async function setMute({ hub }: Context, { person }: Received, name: string, spanS: number): Promise<Reply> {
  const isAll = name.toLowerCase() === 'all'
  const sender = isAll ? undefined : memberMeant(hub.state.db, name)
  if (!isAll && !sender) return unknownName(hub, name)
  const whom = isAll ? 'everyone' : sender!.name
  const { until } = await hub.submit({ type: 'telegram.mute', person: person.member, sender: sender?.id ?? 0, spanS })
  if (until === null) {
    const left = mutesOf(hub.state.db, person.member, Date.now()).map(muted => muted.name ?? 'everyone')
    return { text: html`Messages from ${whom} come again.${left.length > 0 ? ` Still held: ${left.join(', ')}.` : ''}` }
  }
  const time = wallClock(until, person.settings.timezone)
  return { text: html`Messages from ${whom} wait until ${time}; urgent ones still come. /unmute ${name} ends it.` }
}

async function follow(context: Context, received: Received, rest: string): Promise<Reply> {
  const { hub, settings } = context
  const [name, when, ...more] = rest.split(/\s+/).filter(Boolean)
  if (name === undefined) return { text: followed(context, received) }
  const machine = memberMeant(hub.state.db, name)
  if (!machine) return unknownName(hub, name)
  const owned = ownedMachines(hub.state.db).find(each => each.machine === machine.id)
  if (owned?.owner !== received.person.member) {
    return { sign: 'unclear', text: html`${machine.name} is not yours: only its owner follows it.` }
  }
  if (when?.toLowerCase() === 'prompts') {
    const [word, ...others] = more.map(each => each.toLowerCase())
    if ((word !== 'on' && word !== 'off') || others.length > 0) return usage('follow')
    await hub.submit({ type: 'telegram.prompts', machine: machine.id, areTold: word === 'on' })
    return { text: html`${machine.name}: ${promptsInWords(word === 'on')}.` }
  }
  const [, n, unit] = /^(\d{1,3})([mhd])$/.exec(when ?? '') ?? []
  const named: Record<string, number | null> = { always: 0, off: -1, default: null }
  const afterS = n === undefined ? named[when?.toLowerCase() ?? ''] : Number(n) * unitS[unit as keyof typeof unitS]
  if (afterS === undefined || more.length > 0) return usage('follow')
  await hub.submit({ type: 'telegram.follow', machine: machine.id, afterS })
  return { text: html`${machine.name}: ${followInWords(afterS ?? settings.followAfterS ?? -1)}.` }
}

function followed({ hub, settings }: Context, { person }: Received): Html {
  const own = ownedMachines(hub.state.db).filter(({ owner }) => owner === person.member)
  if (own.length === 0)
    return html`No machine is yours. An admin says whose a machine is: claude-net owner MACHINE ${person.name}`
  const lines = own.map(
    ({ name, afterS, tellsPrompts }) =>
      html`${name}: ${followInWords(afterS ?? settings.followAfterS ?? -1)}; ${promptsInWords(tellsPrompts === 1)}`,
  )
  return html`${joined(lines, '\n')}\n<code>${commands.follow!.usage}</code> changes it.`
}

function followInWords(afterS: number): string {
  if (afterS < 0) return 'you get no notices of its messages'
  if (afterS === 0) return 'you are notified of all its unread messages at once'
  const span = afterS % 3600 === 0 ? `${afterS / 3600} h` : `${Math.round(afterS / 60)} min`
  return `you are notified of messages that stay unread for ${span} while it has no session`
}

function promptsInWords(areTold: boolean): string {
  return areTold
    ? 'you are notified when a session has waited for 2 min at a permission prompt'
    : 'you get no notices of permission prompts'
}

function unknownName({ state }: Context['hub'], name: string): Reply {
  const nearest = nearestNames(state.db, name)
  const hint = nearest.length > 0 ? `Did you mean ${nearest.join(' or ')}?` : '/machines lists all.'
  return { sign: 'unclear', text: html`No member is called '${name.slice(0, 64)}'. ${hint}` }
}
