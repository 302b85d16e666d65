import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { startDrainer } from '../client/drainer.ts'
import { Heartbeat } from '../client/heartbeat.ts'
import { Home } from '../client/home.ts'
import { type Machine, openMachine } from '../client/machine.ts'
import { tellPolicy } from '../client/policy.ts'
import { clashText } from '../client/project/find-project.ts'
import { type Scope, scopeOf } from '../client/project/scope.ts'
import { reportWrongHub } from '../client/wrong-hub.ts'
import { makeDirectory, replaceFile } from '../disk/replace-file.ts'
import { notShared, sharesActivity } from '../notice/activity.ts'
import { Keeper } from '../notice/keeper.ts'
import { headlessTakesPart, isHeadless, sessionKey } from '../notice/session-dir.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { messageIdFor, newMessageId } from '../protocol/ids.ts'
import type { HeartbeatAnswer } from '../protocol/members.ts'
import type { InboxMessage } from '../protocol/messages.ts'
import { isOlder, version } from '../protocol/version.ts'
import { ReadState } from './read-state.ts'
import type { ToolName } from './tool-list.ts'
import { type RunTool, refusedText, toolRuns } from './tools.ts'

/** How often a run that is no presence, and so has no heartbeat, sends what waits in the outbox, in ms. */
const headlessDrainMs = 5000

/** How often a session asks which other hubs there are, in ms. */
const hubsEveryMs = 3_600_000

export interface SessionOptions {
  /** The directory of the machine's side. */
  homeDir: string
  /** The process that started this one. */
  parent: number
  /** Sends a notification to the client. */
  notify: (method: string, params: object) => Promise<void>
}

/** One Claude Code session, as its machine and the hub know it. */
export interface Session {
  runs: Record<ToolName, RunTool>
  readState: ReadState
  /** Says goodbye to the hub. May take as long as the hub does. */
  leave: () => Promise<unknown>
  /** Keeps what has no answer yet, and leaves it to a process of its own. */
  keepUnderWay: () => void
}

/**
 * Opens the session: from now on it is present, follows the hub and its tools work. Opens also on a machine that has not joined:
 * its tools then say how, and work as soon as it has.
 */
export function openSession({ homeDir, parent, notify }: SessionOptions): Session {
  // Whoever reads it may have left; nothing depends on it.
  process.stderr.on('error', () => {})
  const home = new Home(homeDir)
  const sessionSeed = process.env.CLAUDE_CODE_SESSION_ID || randomUUID()
  const key = sessionKey(process.env, parent)
  const session = sessionName(sessionSeed, key)
  // A run that nobody sits before is no presence, unless its machine says so.
  const isPresent = !isHeadless(process.env) || headlessTakesPart(home.dir)
  let opened: { machine: Machine; heartbeat: Heartbeat | undefined; scope: Scope } | undefined
  let beat: (() => Heartbeat) | undefined
  let newerHub: string | undefined
  /** What the next answer of a tool says first. */
  const remarks: string[] = []
  /** That the project of this session has another name than its directory, until somebody was told. */
  let projectRemark: string | undefined
  let isPolicyTold = false
  let hubsDueAt = 0
  const notTold = (error: unknown) => {
    // What the hub refuses it refuses again; what it did not hear is told with the next heartbeat.
    isPolicyTold = error instanceof ClaudeNetError && error.settled
    report(error)
  }
  const tellProject = () => {
    if (projectRemark === undefined || !keeper.hasHooks) return
    try {
      keeper.remark('project', projectRemark)
      projectRemark = undefined
    } catch {
      // The next answer of a tool tells it.
    }
  }
  const open = () => {
    if (!opened) {
      const machine = openMachine(home)
      const { scope, name, clash } = scopeOf(sessionDirectory(process.env), home.dir, machine.config)
      projectRemark = name !== undefined && clash ? clashText(name, clash) : undefined
      const drain = () => void sendWaiting(machine, keeper, remarks).catch(report)
      const onAlive = ({ unread, version: hub }: HeartbeatAnswer) => {
        if (!isPolicyTold) tellPolicy(machine.client, machine.config).catch(notTold)
        isPolicyTold = true
        drain()
        void reportWrongHub(home, machine.client)
        if (performance.now() >= hubsDueAt) {
          hubsDueAt = performance.now() + hubsEveryMs
          void keepHubs(machine).catch(report)
        }
        tellProject()
        keeper.onUnreadCount(unread)
        if (hub && isOlder(version, hub)) newerHub ??= hub
      }
      const more = () => ({ ...(scope !== undefined && { project: scope }), ...keeper.activity() })
      setInterval(() => opened?.heartbeat ?? drain(), headlessDrainMs).unref()
      beat = () => new Heartbeat(machine.client, { session, client: `claude-net/${version}`, more, onAlive })
      opened = { machine, heartbeat: isPresent && !keeper.isHidden ? beat() : undefined, scope }
    }
    return opened
  }
  const onHidden = (isHidden: boolean) => {
    if (!opened || !isPresent) return
    if (isHidden) void opened.heartbeat?.stop()
    opened.heartbeat = isHidden ? undefined : beat?.()
  }
  const keeper = new Keeper({
    key,
    session,
    home: home.dir,
    env: process.env,
    claude: parent,
    client: () => open().machine.client,
    scope: () => open().scope,
    pushChannel: (content, meta) => notify('notifications/claude/channel', { content, meta }),
    onHidden,
    report,
  })
  const scopedLine = () => {
    const { machine, scope } = open()
    return { ...machine, scope }
  }
  const readState = new ReadState(() => scopedLine(), session, keeper)
  const setStatus = async (text: string) => {
    if (!sharesActivity(home.dir)) throw notShared()
    const line = keeper.setStatus(text)
    await opened?.heartbeat?.tellNow()
    return line
  }
  let isTold = false
  const takeRemarks = () => {
    if (newerHub && !isTold) remarks.push(tooOld(newerHub))
    isTold ||= newerHub !== undefined
    if (projectRemark) remarks.push(projectRemark)
    projectRemark = undefined
    return remarks.splice(0)
  }

  const runs = toolRuns({
    line: () => ({ ...scopedLine(), keepWhole: message => keepWhole(home, message), setStatus }),
    readState,
    messageIdOf: call => (typeof call === 'string' ? messageIdFor(`${sessionSeed}/${call}`) : newMessageId()),
    onAsked: (id, ofSeveral) => keeper.asked(id, ofSeveral),
    takeRemarks,
  })
  try {
    open()
  } catch {
    // Not joined, or not well: every tool call says so.
  }
  keeper.start()
  return {
    runs,
    readState,
    // Settled, not all: a disk that cannot be written must not keep what follows from being done.
    leave: () => Promise.allSettled([readState.close(), opened?.heartbeat?.stop(), keeper.close()]),
    keepUnderWay: () => {
      // A send without an answer may have reached the hub or not. Under its id it can go out again.
      opened?.machine.outbox.keepUnderWay()
      if (opened) startDrainer(home)
    },
  }
}

/**
 * What the hub calls this session: the same for two servers in one Claude Code, another for one that comes after it. Its first
 * part is the beginning of Claude Code's own id of the session.
 */
function sessionName(seed: string, key: string | undefined): string {
  const clean = (text: string) => text.replace(/[^A-Za-z0-9_-]/g, '')
  return `${clean(seed).slice(0, 8)}-${clean(key ?? '').slice(0, 50) || process.pid}`
}

function tooOld(hub: string): string {
  return `This session runs claude-net ${version}, the hub has ${hub}. Tell your user: update with claude-net doctor's line if the file is old too, then reconnect claude-net under /mcp.`
}

/** Where the session works: Claude Code's own word, or the directory that another client started this process in. */
function sessionDirectory(env: NodeJS.ProcessEnv): string {
  try {
    return env.CLAUDE_PROJECT_DIR || process.cwd()
  } catch {
    return '/' // The directory was removed.
  }
}

/** Sends what waits. What was refused the hooks tell, where there are some and the disk takes it; else the next answer of a tool does. */
async function sendWaiting({ outbox }: Machine, keeper: Keeper, remarks: string[]): Promise<void> {
  await outbox.drain()
  if (!keeper.hasHooks) return
  for (const refused of outbox.takeRefused()) {
    const text = refusedText(refused)
    try {
      keeper.remark(refused.id, text)
    } catch {
      remarks.push(text)
    }
  }
}

/** Takes over which other hubs there are. A hub that does not answer is asked in an hour again. */
async function keepHubs({ home, client, transport }: Machine): Promise<void> {
  const { refreshHubs } = await import('../client/refresh-hubs.ts')
  await refreshHubs(home, client, () => transport.way)
}

/** Writes the whole text of a message into the home, for the session to read from there. Answers the file. */
function keepWhole({ inboxDir }: Home, { id, body }: InboxMessage): string {
  const file = join(inboxDir, `${id}.txt`)
  makeDirectory(inboxDir)
  replaceFile(file, body, 0o600)
  return file
}

function report(error: unknown): void {
  process.stderr.write(`claude-net: ${error instanceof Error ? error.message : String(error)}\n`)
}
