import type { SessionDir } from './session-dir.ts'

/** The part of a hook's stdin that is used here. */
export interface HookInput {
  hook_event_name: string
  /** SessionStart: startup, resume, clear, compact or fork. */
  source?: string
  permission_mode?: string
  /** Stop: this turn already continues because of a Stop hook. */
  stop_hook_active?: boolean
  /** Set inside a subagent. */
  agent_id?: string
  /** Notification: what it is about, such as permission_prompt. */
  notification_type?: string
  /** PermissionRequest, and hooks about the use of a tool. */
  tool_name?: string
}

/** State of the session, as the hooks saw it last. */
export interface SessionState {
  /** Distinguishes this Claude Code from an earlier one with the same key. */
  instance?: string
  busy: boolean
  /** Claude Code's permission mode; undefined until a hook has received it. */
  mode?: string
  /** Time of this state, ms since 1970. */
  at: number
}

/**
 * Records the state of a session from a hook's input at `at`, ms since 1970. `goesOn`: the turn continues after this Stop, because of a
 * notice.
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

/** Returns the state that the hooks of this very Claude Code saw last; undefined if none has run. */
export function readState(dir: SessionDir, instance: string | undefined): SessionState | undefined {
  const state = dir.read<SessionState>('state.json')
  return state && (!instance || !state.instance || state.instance === instance) ? state : undefined
}
