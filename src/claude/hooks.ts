import { basename } from 'node:path'
import { userHome } from '../disk/user-home.ts'

/** Name of the launcher. */
const commandName = 'claude-net'

/** One hook that we register with Claude Code. */
export interface Hook {
  /** The event that it runs at: the `hook_event_name` that it reads on stdin. */
  event: 'SessionStart' | 'UserPromptSubmit' | 'PostToolUse' | 'Stop' | 'PermissionRequest' | 'Notification'
  /** Matcher of the event; the hook runs only for what it matches. */
  matcher?: string
  /** Arguments of the client. */
  args: readonly string[]
  /** Seconds after which Claude Code ends it. */
  timeout: number
  /** It runs in the background: the session does not wait for it. */
  async?: true
  /** It waits in the background; when it exits with 2, the idle session wakes with what stands on its stderr. */
  asyncRewake?: true
}

/** Timeout of a hook that reads local files only, in s. */
const promptS = 10

/** Timeout of a waiter, in s: a week. The default of 600 would leave a session that is idle for longer without one. */
const waiterS = 7 * 24 * 3600

/**
 * Every hook, in the order in which they are registered; one without a matcher runs for whatever its event is about. `join` writes
 * them into the user's settings, the plugin's hooks.json is made of the same table.
 */
export const hooks: readonly Hook[] = [
  { event: 'SessionStart', args: ['hook'], timeout: promptS },
  { event: 'SessionStart', args: ['hook', '--wait'], timeout: waiterS, asyncRewake: true },
  { event: 'UserPromptSubmit', args: ['hook', '--if-news'], timeout: promptS },
  { event: 'UserPromptSubmit', args: ['hook', '--note'], timeout: promptS, async: true },
  { event: 'PostToolUse', args: ['hook', '--if-news'], timeout: promptS },
  { event: 'Stop', args: ['hook'], timeout: promptS },
  { event: 'Stop', args: ['hook', '--wait'], timeout: waiterS, asyncRewake: true },
  // The notification does not say which tool the prompt is about. Neither hook says anything: both run beside the prompt.
  { event: 'PermissionRequest', args: ['hook', '--note'], timeout: promptS, async: true },
  { event: 'Notification', matcher: 'permission_prompt', args: ['hook', '--note'], timeout: promptS, async: true },
]

/** A hook as Claude Code's settings and a plugin's hooks.json write it: run without a shell, since it has `args`. */
export interface CommandHook {
  type: 'command'
  command: string
  args: string[]
  timeout: number
  async?: true
  asyncRewake?: true
}

/** Hooks of one event, those that run for one matcher. */
export interface HookGroup {
  matcher?: string
  hooks: CommandHook[]
}

/** The value of `hooks` in a user's settings that has the launcher run them all; `home` is the user's home directory. */
export function userHookSettings(launcher: string, home = userHome()): ReturnType<typeof hookSettings> {
  return hookSettings('sh', ['-c', guardedStart(launcher, home), commandName])
}

/** The value of `hooks` in a plugin's hooks.json, that has `command` run them all. `first` stands before their own arguments. */
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

/** Whether an entry of somebody's settings is one that we wrote, by this version or another, for this home or another. */
export function isOurHook(hook: unknown): boolean {
  const { command, args } = (hook ?? {}) as { command?: unknown; args?: unknown }
  if (typeof command !== 'string' || !Array.isArray(args)) return false
  if (basename(command) === commandName) return args[0] === 'hook'
  return basename(command) === 'sh' && args[2] === commandName && args[3] === 'hook'
}

/**
 * Shell text that starts the launcher where there is one, and else ends well. People carry their settings from one home to another
 * that has another path, or no client: the launcher is looked for in the home of whoever runs the hook.
 */
function guardedStart(launcher: string, home: string | undefined): string {
  const isInHome = home !== undefined && launcher.startsWith(`${home}/`)
  const path = isInHome ? `"$HOME"${quoted(launcher.slice(home.length))}` : quoted(launcher)
  return `if [ -x ${path} ]; then exec ${path} "$@"; fi`
}

function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
