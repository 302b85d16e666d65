import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { startDrainer } from '../client/drainer.ts'
import { Home } from '../client/home.ts'
import { makeDirectory, replaceFile } from '../disk/replace-file.ts'
import { notShared, sharesActivity } from '../notice/activity.ts'
import { Keeper } from '../notice/keeper.ts'
import { headlessTakesPart, isHeadless, sessionKey } from '../notice/session-dir.ts'
import { messageIdFor, newMessageId } from '../protocol/ids.ts'
import type { InboxMessage } from '../protocol/messages.ts'
import { Presence } from './presence.ts'
import { ReadState } from './read-state.ts'
import { Remarks } from './remarks.ts'
import { type OpenedMachine, SessionMachine } from './session-machine.ts'
import type { ToolName } from './tool-list.ts'
import { type RunTool, toolRuns } from './tools.ts'

export interface SessionOptions {
  /** The machine's home directory. */
  homeDir: string
  /** The process that started this one. */
  parent: number
  /** Sends a notification to the client. */
  notify: (method: string, params: object) => Promise<void>
}

/** One Claude Code session: its tools, and the functions that end it. */
export interface Session {
  runs: Record<ToolName, RunTool>
  readState: ReadState
  /** Sends the last acks and ends the session at the hub. May take as long as the hub does. */
  leave: () => Promise<unknown>
  /** Moves sends without a response into the outbox, and starts a process that sends them. */
  keepUnderWay: () => void
}

/**
 * Opens the session: it becomes present, follows the hub's events, and its tools work. On a machine that has not joined, the tools return
 * how to join, and work as soon as the machine has.
 */
export function openSession({ homeDir, parent, notify }: SessionOptions): Session {
  // The reader of stderr may have exited; nothing depends on it.
  process.stderr.on('error', () => {})
  const home = new Home(homeDir)
  const sessionSeed = process.env.CLAUDE_CODE_SESSION_ID || randomUUID()
  const key = sessionKey(process.env, parent)
  const session = sessionName(sessionSeed, key)
  const isPresent = !isHeadless(process.env) || headlessTakesPart(home.dir)
  const remarks = new Remarks()
  const machine = new SessionMachine(home)
  const keeper = new Keeper({
    key,
    session,
    home: home.dir,
    env: process.env,
    claude: parent,
    client: () => machine.open().machine.client,
    scope: () => machine.open().scope,
    pushChannel: (content, meta) => notify('notifications/claude/channel', { content, meta }),
    report,
  })
  const presence = new Presence({ session, isPresent, keeper, remarks, report })
  const readState = new ReadState(() => lineOf(machine.open()), session, keeper)
  const setStatus = async (text: string) => {
    if (!sharesActivity(home.dir)) throw notShared()
    const line = keeper.setStatus(text)
    await presence.update()
    return line
  }
  const runs = toolRuns({
    line: () => ({ ...lineOf(machine.open()), keepWhole: message => keepWhole(home, message), setStatus }),
    readState,
    messageIdOf: call => (typeof call === 'string' ? messageIdFor(`${sessionSeed}/${call}`) : newMessageId()),
    onAsked: (id, ofSeveral) => keeper.asked(id, ofSeveral),
    takeRemarks: () => remarks.take(),
  })

  machine.onOpen(opened => {
    if (opened.projectRemark !== undefined) remarks.add(opened.projectRemark, 'project')
    presence.start(opened)
  })
  try {
    machine.open()
  } catch {
    // Not joined, or a broken configuration: every tool call reports it.
  }
  keeper.start({ onHidden: isHidden => presence.setHidden(isHidden) })
  return {
    runs,
    readState,
    // allSettled: a disk that cannot be written must not prevent the other steps.
    leave: () => Promise.allSettled([readState.close(), presence.stop(), keeper.close()]),
    keepUnderWay: () => {
      // A send without a response may have reached the hub. Sending it again under its id is safe.
      machine.opened?.machine.outbox.keepUnderWay()
      if (machine.opened) startDrainer(home)
    },
  }
}

function lineOf({ machine, scope }: OpenedMachine) {
  return { ...machine, scope }
}

/**
 * Returns the id of this session at the hub: the same for two servers in one Claude Code, and another one for the next Claude Code. It
 * starts with the first characters of Claude Code's own session id.
 */
function sessionName(seed: string, key: string | undefined): string {
  const clean = (text: string) => text.replace(/[^A-Za-z0-9_-]/g, '')
  return `${clean(seed).slice(0, 8)}-${clean(key ?? '').slice(0, 50) || process.pid}`
}

/** Saves the whole text of a message in the home, where the session can read it. Returns the path of the file. */
function keepWhole({ inboxDir }: Home, { id, body }: InboxMessage): string {
  const file = join(inboxDir, `${id}.txt`)
  makeDirectory(inboxDir)
  replaceFile(file, body, 0o600)
  return file
}

function report(error: unknown): void {
  process.stderr.write(`claude-net: ${error instanceof Error ? error.message : String(error)}\n`)
}
