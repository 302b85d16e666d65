import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { runHook } from '../../../src/notice/hook.ts'
import { SessionDir } from '../../../src/notice/session-dir.ts'
import { Broken, filledIn, jsonOf, objectOf, type Target } from '../target.ts'

/** Maximum number of characters that a hook may add to a session. */
const mostCharacters = 20_000

const mail = {
  kind: 'mail',
  id: '01a20482-a206-75df-94e3-af894eff8204',
  seq: 5,
  from: 'chasclaude',
  fromKind: 'machine',
  intent: 'request',
  sentAt: 1_767_225_600_000,
  beginning: 'hello',
}
const stop = { hook_event_name: 'Stop', stop_hook_active: false, session_id: 's', cwd: '/' }

/** The hooks of Claude Code: their standard input, and the files that they read. */
export const hooks: Target = {
  name: 'hooks',
  what: 'the standard input of hooks, and the files that they read',
  json: true,
  dictionary: [
    ...[
      'args',
      'stdin',
      'news',
      'state',
      'record',
      '--note',
      '--if-news',
      'hook_event_name',
      'source',
      'permission_mode',
      'stop_hook_active',
      'agent_id',
      'notification_type',
      'tool_name',
    ],
    ...[
      'SessionStart',
      'UserPromptSubmit',
      'PostToolUse',
      'Stop',
      'SubagentStop',
      'PermissionRequest',
      'Notification',
      'SessionEnd',
      'startup',
      'resume',
      'clear',
      'compact',
      'permission_prompt',
      'idle_prompt',
    ],
    ...[
      'kind',
      'mail',
      'gathered',
      'fate',
      'remark',
      'id',
      'seq',
      'from',
      'beginning',
      'summary',
      'text',
      'status',
      'acked',
      'recipient',
      'intent',
      'urgent',
      'isAwaited',
      'project',
      'replyTo',
      'sentAt',
      'plan',
      'Bash',
    ],
  ],
  seeds: [
    { stdin: { hook_event_name: 'SessionStart', source: 'resume' }, news: [mail] },
    {
      stdin: { hook_event_name: 'UserPromptSubmit', permission_mode: 'plan', prompt: 'hello' },
      news: [mail, { ...mail, intent: 'inform', seq: 6 }],
    },
    {
      stdin: { hook_event_name: 'PostToolUse', tool_name: 'Bash' },
      news: [{ kind: 'fate', id: 'x', message: mail.id, seq: 7, recipient: 'sean', status: 'expired' }],
    },
    { stdin: stop, news: [{ kind: 'gathered', id: mail.id, seq: 8, beginning: 'who?', summary: '2 answered' }] },
    { stdin: { ...stop, stop_hook_active: true }, news: [{ kind: 'remark', id: 'r', seq: 9, text: 'restart' }] },
    {
      args: ['--note'],
      stdin: { hook_event_name: 'PermissionRequest', tool_name: 'Bash' },
      state: { busy: true, at: 1 },
    },
    { args: ['--note'], stdin: { hook_event_name: 'Notification', notification_type: 'permission_prompt' } },
    { stdin: 'no JSON' },
  ].map(each => JSON.stringify(each)),
  async open() {
    const root = mkdtempSync(join(tmpdir(), 'claude-net-fuzz-hooks-'))
    const before = process.env.CLAUDE_NET_HOME
    const home = join(root, 'home')
    process.env.CLAUDE_NET_HOME = home
    mkdirSync(home)
    writeFileSync(join(home, 'config.json'), '{"machine":"seanclaude"}')
    return {
      run: input => give(root, home, objectOf(filledIn(jsonOf(input)))),
      async close() {
        if (before === undefined) delete process.env.CLAUDE_NET_HOME
        else process.env.CLAUDE_NET_HOME = before
        rmSync(root, { recursive: true, force: true })
      },
    }
  },
}

async function give(root: string, home: string, given: Record<string, unknown>): Promise<void> {
  const dir = new SessionDir('session', home)
  dir.remove()
  dir.make()
  const news = Array.isArray(given.news) ? given.news.slice(0, 20) : []
  for (const [index, each] of news.entries()) {
    const { seq = index, kind = 'mail', id = index } = objectOf(each)
    const name = `${String(seq).padStart(15, '0')}-${kind}-${id}`.replaceAll(/[^\w-]/g, '').slice(0, 100)
    writeFileSync(join(dir.file('news'), `${name}.json`), textOf(each))
  }
  if (given.state !== undefined) writeFileSync(dir.file('state.json'), textOf(given.state))
  if (given.prompt !== undefined) writeFileSync(dir.file('prompt.json'), textOf(given.prompt))
  const args = (Array.isArray(given.args) ? given.args.map(String) : []).filter(each => each !== '--wait')
  const output = await outputOf(
    () =>
      runHook(args, {
        CLAUDE_CODE_MESSAGING_SOCKET: '/run/session.sock',
        CLAUDE_CODE_MESSAGING_TOKEN: 'secret-of-the-session',
        CLAUDE_NET_HOME: home,
      }),
    textOf(given.stdin),
  )
  judge(output)
  if (readdirSync(root).join() !== 'home' || readdirSync(home).some(name => !['config.json', 'run'].includes(name)))
    throw new Broken(`a hook has made ${[...readdirSync(root), ...readdirSync(home)].join(', ')}`)
  for (const file of ['state.json', 'prompt.json'])
    if (
      existsSync(dir.file(file)) &&
      dir.read(file) === undefined &&
      given.state === undefined &&
      given.prompt === undefined
    )
      throw new Broken(`a hook has left a broken ${file}`)
}

/** Checks the output of a hook: nothing, or one JSON object for the session. */
function judge(output: string): void {
  if (output === '') return
  const { hookSpecificOutput } = objectOf(jsonOf(Buffer.from(output)))
  const text = objectOf(hookSpecificOutput).additionalContext
  if (typeof text !== 'string') throw new Broken(`a hook prints ${output.slice(0, 300)}`)
  if (output.includes('secret-of-the-session')) throw new Broken('a hook shows a secret')
  if (text.length > mostCharacters) throw new Broken(`a hook says ${text.length} characters`)
  const hidden = /[\p{Cc}\p{Cf}\p{Cs}]/u.exec(text.replaceAll('\n', ''))
  if (hidden)
    throw new Broken(
      `a hook says the character U+${hidden[0].codePointAt(0)!.toString(16)}: ${JSON.stringify(text.slice(0, 300))}`,
    )
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

/** Returns what `run` writes to standard output when `input` is its standard input. */
async function outputOf(run: () => Promise<void>, input: string): Promise<string> {
  const { stdin } = process
  const write = process.stdout.write
  let output = ''
  Object.defineProperty(process, 'stdin', { value: Readable.from([Buffer.from(input)]), configurable: true })
  process.stdout.write = ((text: string) => {
    output += text
    return true
  }) as typeof write
  try {
    await run()
    return output
  } finally {
    process.stdout.write = write
    Object.defineProperty(process, 'stdin', { value: stdin, configurable: true })
  }
}
