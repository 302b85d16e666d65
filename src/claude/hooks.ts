import { basename } from 'node:path'

/** One hook that we register with Claude Code. */
export interface Hook {
  /** When it runs: the `hook_event_name` that it reads on stdin. */
  event: 'SessionStart' | 'UserPromptSubmit' | 'PostToolUse' | 'Stop'
  /** What the client is started with. */
  args: readonly string[]
  /** Seconds after which Claude Code ends it. */
  timeout: number
  /** It waits in the background; when it exits with 2, the idle session wakes with what stands on its stderr. */
  asyncRewake?: true
}

/** How long a hook that answers at once may take, in s: it reads local files only. */
const promptS = 10

/** How long a waiter waits, in s: a week. The default of 600 would leave a session that is idle for longer without one. */
const waiterS = 7 * 24 * 3600

/**
 * Every hook, in the order in which they are registered; none has a matcher, so each runs for whatever its event is about.
 * `join` writes them into the user's settings, the plugin's hooks.json is made of the same table.
 */
export const hooks: readonly Hook[] = [
  { event: 'SessionStart', args: ['hook'], timeout: promptS },
  { event: 'SessionStart', args: ['hook', '--wait'], timeout: waiterS, asyncRewake: true },
  { event: 'UserPromptSubmit', args: ['hook'], timeout: promptS },
  { event: 'PostToolUse', args: ['hook', '--if-news'], timeout: promptS },
  { event: 'Stop', args: ['hook'], timeout: promptS },
  { event: 'Stop', args: ['hook', '--wait'], timeout: waiterS, asyncRewake: true },
]

/** A hook as Claude Code's settings and a plugin's hooks.json write it: run without a shell, since it has `args`. */
export interface CommandHook {
  type: 'command'
  command: string
  args: string[]
  timeout: number
  asyncRewake?: true
}

/** The value of `hooks` in Claude Code's settings, or in a plugin's hooks.json, that has `command` run them all. */
export function hookSettings(command: string): Record<string, { hooks: CommandHook[] }[]> {
  const settings: Record<string, { hooks: CommandHook[] }[]> = {}
  for (const { event, args, timeout, asyncRewake } of hooks) {
    const groups = settings[event] ?? [{ hooks: [] }]
    settings[event] = groups
    groups[0]!.hooks.push({
      type: 'command',
      command,
      args: [...args],
      timeout,
      ...(asyncRewake && { asyncRewake }),
    })
  }
  return settings
}

/** Whether an entry of somebody's settings is one that we wrote, by this version or another, for this home or another. */
export function isOurHook(hook: unknown): boolean {
  const { command, args } = (hook ?? {}) as { command?: unknown; args?: unknown }
  return typeof command === 'string' && basename(command) === 'claude-net' && Array.isArray(args) && args[0] === 'hook'
}
