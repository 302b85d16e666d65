import type { SessionDir } from './session-dir.ts'

/** What Claude Code writes to a hook's stdin, as far as we look at it. */
export interface HookInput {
  hook_event_name: string
  /** SessionStart: startup, resume, clear, compact or fork. */
  source?: string
  permission_mode?: string
  /** Stop: this turn goes on already because a Stop hook said so. */
  stop_hook_active?: boolean
  /** Set inside a subagent. */
  agent_id?: string
  /** Notification: what it is about, such as permission_prompt. */
  notification_type?: string
  /** PermissionRequest, and hooks about the use of a tool. */
  tool_name?: string
}

/** What the hooks saw last of their session. */
export interface SessionState {
  /** Tells this Claude Code from an earlier one with the same key. */
  instance?: string
  busy: boolean
  /** Claude Code's permission mode; undefined until a hook was told. */
  mode?: string
  /** When, ms since 1970. */
  at: number
}

/**
 * Notes what a hook's input says of its session at `at`, ms since 1970. `goesOn`: a Stop that is none, because the session is told
 * something.
 */
export function noteState(
  dir: SessionDir,
  { hook_event_name: event, source, permission_mode }: HookInput,
  instance: string | undefined,
  { goesOn = false, at = Date.now() } = {},
): void {
  const before = readState(dir, instance)
  // A session compacts in the middle of its work.
  const busy =
    event === 'UserPromptSubmit' ||
    goesOn ||
    (event === 'SessionStart' && source === 'compact' && before?.busy === true)
  const mode = permission_mode ?? before?.mode
  dir.make()
  dir.write('state.json', { ...(instance && { instance }), busy, ...(mode && { mode }), at })
}

/** What the hooks of this very Claude Code saw last; undefined when none has run. */
export function readState(dir: SessionDir, instance: string | undefined): SessionState | undefined {
  const state = dir.read<SessionState>('state.json')
  return state && (!instance || !state.instance || state.instance === instance) ? state : undefined
}
