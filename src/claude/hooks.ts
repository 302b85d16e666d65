import { basename } from 'node:path'
import { userHome } from '../disk/user-home.ts'

/** Name of the launcher. */
const commandName = 'claude-net'

/** One hook that we register with Claude Code. */
export interface Hook {
  /** The event that runs it: the `hook_event_name` that it reads on stdin. */
  event: 'SessionStart' | 'UserPromptSubmit' | 'PostToolUse' | 'Stop' | 'PermissionRequest' | 'Notification'
  /** Matcher of the event; the hook runs only for events that match. */
  matcher?: string
  /** Arguments of the client. */
  args: readonly string[]
  /** Seconds after which Claude Code ends it. */
  timeout: number
  /** Runs it in the background: the session does not wait for it. */
  async?: true
  /** Runs it in the background as a waiter; when it exits with 2, its stderr is shown to the idle session, which wakes. */
  asyncRewake?: true
}

/** Timeout of a hook that reads local files only, in s. */
const promptS = 10

/** Timeout of a waiter, in s: a week. The default of 600 would leave a session that is idle for longer without one. */
const waiterS = 7 * 24 * 3600

/**
 * All hooks, in the order in which they are registered. A hook without a matcher runs for every event of its kind. `join` writes them into
 * the user's settings; the plugin's hooks.json is made from the same table.
 */
export const hooks: readonly Hook[] = [
  { event: 'SessionStart', args: ['hook'], timeout: promptS },
  { event: 'SessionStart', args: ['hook', '--wait'], timeout: waiterS, asyncRewake: true },
  { event: 'UserPromptSubmit', args: ['hook', '--if-news'], timeout: promptS },
  { event: 'UserPromptSubmit', args: ['hook', '--note'], timeout: promptS, async: true },
  { event: 'PostToolUse', args: ['hook', '--if-news'], timeout: promptS },
  { event: 'Stop', args: ['hook'], timeout: promptS },
  { event: 'Stop', args: ['hook', '--wait'], timeout: waiterS, asyncRewake: true },
  // The notification does not name the tool of the prompt. Neither hook prints anything: both run beside the prompt.
  { event: 'PermissionRequest', args: ['hook', '--note'], timeout: promptS, async: true },
  { event: 'Notification', matcher: 'permission_prompt', args: ['hook', '--note'], timeout: promptS, async: true },
]

/** A hook as in Claude Code's settings and a plugin's hooks.json. It has `args`, so it is run without a shell. */
export interface CommandHook {
  type: 'command'
  command: string
  args: string[]
  timeout: number
  async?: true
  asyncRewake?: true
}

/** The hooks of one event that share a matcher. */
export interface HookGroup {
  matcher?: string
  hooks: CommandHook[]
}

/** Returns the value of `hooks` in a user's settings: the launcher runs each hook. `home` is the user's home directory. */
export function userHookSettings(launcher: string, home = userHome()): ReturnType<typeof hookSettings> {
  return hookSettings('sh', ['-c', guardedStart(launcher, home), commandName])
}

/** Returns the value of `hooks` in a plugin's hooks.json: `command` runs each hook, with `first` before the hook's own arguments. */
export function hookSettings(command: string, first: string[] = []): Record<string, HookGroup[]> {
  const settings: Record<string, HookGroup[]> = {}
  for (const { event, matcher, args, timeout, async, asyncRewake } of hooks) {
    const groups = settings[event] ?? [{ ...(matcher !== undefined && { matcher }), hooks: [] }]
    settings[event] = groups
    groups[0]!.hooks.push({
      type: 'command',
      command,
      args: [...first, ...args],
      timeout,
      ...(async && { async }),
      ...(asyncRewake && { asyncRewake }),
    })
  }
  return settings
}

/** Reports whether an entry in a user's settings was written by this program, in any version and for any home. */
export function isOurHook(hook: unknown): boolean {
  const { command, args } = (hook ?? {}) as { command?: unknown; args?: unknown }
  if (typeof command !== 'string' || !Array.isArray(args)) return false
  if (basename(command) === commandName) return args[0] === 'hook'
  return basename(command) === 'sh' && args[2] === commandName && args[3] === 'hook'
}

/**
 * Returns shell text that starts the launcher if it exists and otherwise exits with 0. Users copy their settings to homes that have another
 * path, or no client: the launcher is looked up in the home of the user who runs the hook.
 */
function guardedStart(launcher: string, home: string | undefined): string {
  const isInHome = home !== undefined && launcher.startsWith(`${home}/`)
  const path = isInHome ? `"$HOME"${quoted(launcher.slice(home.length))}` : quoted(launcher)
  return `if [ -x ${path} ]; then exec ${path} "$@"; fi`
}

function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
