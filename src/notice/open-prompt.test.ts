import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { ClientRecord } from './client-record.ts'
import { notePrompt, openPrompt } from './open-prompt.ts'
import { SessionDir } from './session-dir.ts'

const waiting = (since: number): ClientRecord => ({ isHidden: false, activity: 'waiting', since })
const busy = (since: number): ClientRecord => ({ isHidden: false, activity: 'busy', since })

function session() {
  const home = mkdtempSync(join(tmpdir(), 'claude-net-prompt-'))
  onTestFinished(() => rmSync(home, { recursive: true }))
  const dir = new SessionDir('1', home)
  const note = (input: object, record: ClientRecord, at: number) =>
    notePrompt(dir, { hook_event_name: '', ...input }, { instance: 'i', record, at })
  return {
    dir,
    asks: (tool: string, record: ClientRecord, at: number) =>
      note({ hook_event_name: 'PermissionRequest', tool_name: tool, tool_input: { command: 'secret' } }, record, at),
    notifies: (record: ClientRecord, at: number, type = 'permission_prompt') =>
      note({ hook_event_name: 'Notification', notification_type: type, message: 'secret' }, record, at),
    open: (record: ClientRecord | undefined) => openPrompt(dir, 'i', record),
  }
}

test('a prompt is open from its notification until the record changes, and its arguments are not stored', () => {
  const { dir, asks, notifies, open } = session()
  // The hook may run before Claude Code has written its record.
  asks('Bash', busy(0), 10_000)
  expect(open(waiting(10_200))).toBeUndefined()
  notifies(waiting(10_200), 16_000)
  const prompt = open(waiting(10_200))
  expect(prompt).toEqual({ id: expect.any(String), tool: 'Bash', since: 10_000 })
  expect(readFileSync(dir.file('prompt.json'), 'utf8')).not.toContain('secret')
  // A second notification of the same prompt changes nothing.
  notifies(waiting(10_200), 60_000)
  expect(open(waiting(10_200))).toEqual(prompt)
  expect(open(busy(70_000))).toBeUndefined()
  expect(open(waiting(75_000))).toBeUndefined()
  expect(open(undefined)).toBeUndefined()
  expect(openPrompt(dir, 'another', waiting(10_200))).toBeUndefined()
})

test('a prompt queued behind another opens after it, under a new id', () => {
  const { asks, notifies, open } = session()
  asks('Bash', busy(0), 10_000)
  notifies(waiting(10_200), 16_000)
  const first = open(waiting(10_200))
  asks('Write', waiting(10_200), 20_000)
  expect(open(waiting(10_200))).toEqual(first)
  notifies(waiting(30_000), 36_000)
  const second = open(waiting(30_000))
  expect(second).toEqual({ id: expect.any(String), tool: 'Write', since: 30_000 })
  expect(second!.id).not.toBe(first!.id)
})

test('a prompt that was answered before its notification is not open, and other notifications are ignored', () => {
  const { asks, notifies, open } = session()
  asks('Bash', busy(0), 10_000)
  asks('Edit', waiting(10_100), 12_000)
  notifies(waiting(10_100), 16_000, 'idle_prompt')
  expect(open(waiting(10_100))).toBeUndefined()
  // A notification without a PermissionRequest hook.
  notifies(waiting(50_000), 56_000)
  expect(open(waiting(50_000))).toEqual({ id: expect.any(String), tool: 'Edit', since: 50_000 })
})
