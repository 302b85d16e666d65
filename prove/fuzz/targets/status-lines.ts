import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as z from 'zod'
import { activityOf } from '../../../src/notice/activity.ts'
import type { ClientRecord } from '../../../src/notice/client-record.ts'
import { openPrompt } from '../../../src/notice/open-prompt.ts'
import { SessionDir } from '../../../src/notice/session-dir.ts'
import type { SessionWatch } from '../../../src/notice/session-watch.ts'
import { readStatusLine, setStatusLine } from '../../../src/notice/status-line.ts'
import { HeartbeatRequest } from '../../../src/protocol/members.ts'
import { Broken, filledIn, jsonOf, objectOf, type Target } from '../target.ts'

/** The activity of a session, from its user's words, its own file, and the files of git. */
export const statusLines: Target = {
  name: 'status-lines',
  what: 'the line of a session, its file, and the HEAD of its repository',
  json: true,
  dictionary: [
    'text',
    'file',
    'head',
    'git',
    'at',
    'instance',
    'ref: refs/heads/',
    'ref: refs/heads/.invalid',
    'gitdir: ',
    'main',
    '\u202e',
    '\u200b',
    '\u0301',
    '\u2028',
    '\ue000',
    '\u{e0041}',
    '\u{1f468}\u200d\u{1f469}',
    'a'.repeat(40),
  ],
  seeds: [
    { text: 'mends the outbox' },
    { text: ' \u0007two\nlines\u202e ', head: 'ref: refs/heads/fix/login\n' },
    { file: { text: 'reviews', at: 1_767_225_600_000 }, head: `${'a'.repeat(40)}\n` },
    { file: '{"text":"half', head: 'ref: refs/heads/.invalid' },
    {
      doing: { activity: 'busy', since: 1_767_225_600_000 },
      prompt: { id: 'p1', tool: 'Bash', since: 1_767_225_600_000 },
    },
    { git: 'gitdir: ../elsewhere\n', head: 'ref: refs/heads/x' },
  ].map(each => JSON.stringify(each)),
  async open() {
    const root = mkdtempSync(join(tmpdir(), 'claude-net-fuzz-status-'))
    return {
      run: async input => give(root, objectOf(filledIn(jsonOf(input)))),
      close: async () => rmSync(root, { recursive: true, force: true }),
    }
  },
}

function give(root: string, { text, file, head, git, doing, prompt }: Record<string, unknown>): void {
  rmSync(root, { recursive: true, force: true })
  const dir = new SessionDir('session', join(root, 'home'))
  dir.make()
  if (typeof text === 'string') {
    const line = setStatusLine(dir, 'i', text)
    const read = readStatusLine(dir, 'i')
    if ((read?.text ?? '') !== line)
      throw new Broken(`the line is set as ${JSON.stringify(line)} and read as ${JSON.stringify(read)}`)
  }
  if (file !== undefined) writeFileSync(dir.file('status.json'), typeof file === 'string' ? file : JSON.stringify(file))
  const work = join(root, 'work')
  mkdirSync(join(work, 'src'), { recursive: true })
  mkdirSync(join(root, 'elsewhere'))
  const place = git === undefined ? join(work, '.git') : join(root, 'elsewhere')
  mkdirSync(place, { recursive: true })
  if (git !== undefined) writeFileSync(join(work, '.git'), String(git))
  if (head !== undefined) writeFileSync(join(place, 'HEAD'), String(head))
  if (prompt !== undefined) writeFileSync(dir.file('prompt.json'), JSON.stringify(prompt))
  const record = { activity: 'waiting', since: 0 } as ClientRecord
  const watch = { doing, prompt: openPrompt(dir, 'i', record) } as Pick<SessionWatch, 'doing' | 'prompt'>
  const activity = activityOf({ dir, instance: 'i', watch, clockOffsetMs: 0 }, join(work, 'src'))
  const beat = { session: 's1', client: 'claude-net/0.1.0', ...activity }
  // The hub must accept the client's report of a session.
  const fits = HeartbeatRequest.safeParse(beat)
  if (!fits.success)
    throw new Broken(
      `a heartbeat is none that the hub takes: ${z.prettifyError(fits.error)} ${JSON.stringify(beat).slice(0, 500)}`,
    )
}
