import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { homeDir } from '../client/home-dir.ts'
import { readClientRecord } from './client-record.ts'
import { forgetTold, mayWake, type News, takeNews } from './news.ts'
import { noticeText } from './notice-text.ts'
import { notePrompt } from './open-prompt.ts'
import { serverRemark } from './server-remark.ts'
import { headlessTakesPart, instanceOf, isHeadless, type SessionDir, sessionDirOf, sessionKey } from './session-dir.ts'
import { type HookInput, noteState, readState } from './session-state.ts'
import { waitForWake } from './waiter.ts'

/**
 * Runs one hook of Claude Code: reads its JSON from stdin and prints a notice for the session, or nothing. With `--note` it prints
 * nothing and only records what the session does. With `--wait` it runs until the session should wake. It touches only local files and
 * never fails, since a failing hook would disturb the user.
 */
export async function runHook(args: readonly string[], env = process.env): Promise<void> {
  try {
    const input = JSON.parse(await readStdin()) as HookInput
    const dir = ownDir(env)
    if (!dir) return
    if (args.includes('--note')) return noteLate(dir, input, env)
    if (args.includes('--wait')) return await waitForWake(dir, input, env)
    process.stdout.write(noticeOf(dir, input, env))
  } catch {
    // No output: a message that was not announced stays unread.
  }
}

/** Returns the directory of the session that started this process; undefined if that session takes no part. */
export function ownDir(env: NodeJS.ProcessEnv): SessionDir | undefined {
  const key = sessionKey(env)
  if (!key || !existsSync(join(homeDir(), 'config.json')) || (isHeadless(env) && !headlessTakesPart())) return undefined
  return sessionDirOf(key)
}

/** Returns the output of a hook, '' without a notice, and records whether the session is busy. */
export function noticeOf(dir: SessionDir, input: HookInput, env: NodeJS.ProcessEnv): string {
  const text = noticeText(newsFor(input, dir, instanceOf(env)), Date.now())
  return text ? JSON.stringify(answerOf(input.hook_event_name, text)) : ''
}

/** Events about a permission prompt. */
const promptEvents = new Set(['PermissionRequest', 'Notification'])

/** Returns the notices to announce now, and records whether the session is busy. */
function newsFor(input: HookInput, dir: SessionDir, instance: string | undefined): News[] {
  // The session does not see notices given to a subagent.
  if (input.agent_id !== undefined) return []
  switch (input.hook_event_name) {
    case 'SessionStart': {
      noteState(dir, input, instance)
      // A new session is notified at its first prompt, since its server has read nothing yet. After a resume, clear or compact,
      // earlier notices may no longer be in its context.
      return input.source === 'startup' ? [] : told(dir, { again: true })
    }
    case 'UserPromptSubmit':
      noteState(dir, input, instance)
      return [...told(dir), ...serverRemark(dir, instance)]
    case 'PostToolUse':
      return [...told(dir), ...serverRemark(dir, instance)]
    case 'Stop': {
      // A notice here makes the session continue instead of ending its turn: only for what may wake it, and only once.
      const news = input.stop_hook_active ? [] : [...told(dir, { wanted: mayWake }), ...serverRemark(dir, instance)]
      noteState(dir, input, instance, { goesOn: news.length > 0 })
      return news
    }
    default:
      return []
  }
}

/** Records what the session did when this hook began. Other hooks may have finished since then: their state is newer. */
function noteLate(dir: SessionDir, input: HookInput, env: NodeJS.ProcessEnv): void {
  const at = Math.round(performance.timeOrigin)
  const instance = instanceOf(env)
  // The same user must answer a subagent's prompt.
  if (promptEvents.has(input.hook_event_name)) {
    notePrompt(dir, input, { instance, record: readClientRecord(env), at })
    return
  }
  if (input.agent_id !== undefined) return
  if ((readState(dir, instance)?.at ?? 0) < at) noteState(dir, input, instance, { at })
}

function told(dir: SessionDir, options?: Parameters<typeof takeNews>[1]): News[] {
  const news = takeNews(dir, options)
  // Messages are announced again after /clear while they are unread; everything else is announced once.
  forgetTold(
    dir,
    news.filter(({ kind }) => kind !== 'mail'),
  )
  return news
}

function answerOf(hookEventName: string, additionalContext: string): object {
  return { hookSpecificOutput: { hookEventName, additionalContext } }
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
