import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, type TestContext, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { startHub } from './support/hub.ts'
import { startMachine } from './support/machine.ts'

/** Mounts a file system in memory at `dir` for the running test, or skips the test where that is not allowed. */
function mount(context: TestContext, dir: string, options: string): void {
  mkdirSync(dir, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', dir], { stdio: 'pipe' })
  } catch {
    context.skip('mounting a file system is not allowed here')
  }
  onTestFinished(() => void execFileSync('umount', ['--lazy', dir]))
}

test('a machine whose disk cannot be written still gets results and sends messages, and doctor reports the disk', async context => {
  const hub = await startHub()
  const [ada, bob] = [await startMachine(hub, 'ada'), await hub.join('bob')]
  const [inbox, outbox] = [join(ada.home, 'inbox'), join(ada.home, 'outbox')]
  mount(context, inbox, 'ro')
  mount(context, outbox, 'size=4k')
  try {
    writeFileSync(join(outbox, 'filler'), Buffer.alloc(64 * 1024))
  } catch {
    // The disk is full from now on.
  }
  const session = await ada.mcp()
  expect((await session.call('send', { to: 'bob', message: 'hub up' })).text).toMatch(/^Stored for bob/)
  await bob.client.call(api.sendMessage, { body: { to: 'ada', body: '\u001bx'.repeat(16_000) } })
  await bob.client.call(api.sendMessage, { body: { to: 'ada', body: 'behind it' } })
  const cut = await session.call('inbox', { ack: true })
  expect(cut).toMatchObject({ isError: false, text: expect.stringContaining('could not be saved on this machine') })
  expect(cut.text).toContain('(the disk is read-only)')
  expect((await session.call('inbox')).text).toContain('> behind it')

  await hub.stop()
  const why = `It could not be kept in ${outbox}: the disk is full.`
  expect(await session.call('send', { to: 'bob', message: 'hub down' })).toMatchObject({
    isError: true,
    text: expect.stringMatching(/^Not sent\. The hub at \S+ cannot be reached: nothing listens there\. /),
  })
  const sent = await ada.run(['send', 'bob', 'hub down'])
  expect(sent).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(/^claude-net: Not sent\./) })
  expect(sent.stderr).toContain(why)
  const { code, stdout } = await ada.run(['doctor'])
  expect([code, stdout]).toEqual([
    1,
    expect.stringContaining(`FAIL  disk     ${outbox} cannot be written: the disk is full`),
  ])
})
