import { copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { startHub } from './support/hub.ts'
import { hubNode, run } from './support/program.ts'
import { raw } from './support/raw.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

// Each test starts many processes.
vi.setConfig({ testTimeout: 180_000 })

const command = (...args: string[]) => run(args, { node: hubNode })

/** Starts a hub with a tail in `logTo`, with the machines ana and ben. */
async function followed(logTo: string) {
  const hub = await startHub({ config: { backup: { logTo } } })
  const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
  const send = (body: string) => ana.client.call(api.sendMessage, { body: { to: 'ben', body } })
  /** Waits for the tail by metrics, which commit nothing, unlike `status`. */
  const written = () =>
    until(
      'the tail is up to date',
      async () => {
        const { behind_entries, trouble } = await metrics(hub)
        const isNamed = () => readdirSync(logTo).length > 0 && readdirSync(logTo).every(name => name.endsWith('.log'))
        return behind_entries === 0 && trouble === 0 && isNamed()
      },
      90_000,
    )
  return { hub, ben, send, written }
}

async function metrics(hub: Awaited<ReturnType<typeof startHub>>): Promise<Record<string, number>> {
  const { text } = await raw(hub, { path: '/metrics' })
  const found = [...text.matchAll(/^claude_net_tail_(\w+) (\S+)$/gm)]
  return Object.fromEntries(found.map(([, name, value]) => [name!, Number(value)]))
}

test('status and metrics show how far the tail reaches, and why it is not written', async () => {
  const logTo = join(tempDir('tails'), 'log')
  const { hub, send, written } = await followed(logTo)
  await written()
  const shown = async () => (await command('status', '--data', hub.dataDir)).stdout
  expect(await shown()).toMatch(/^Tail +up to date, /m)
  await written()
  expect(await metrics(hub)).toMatchObject({ behind_entries: 0, behind_seconds: 0, trouble: 0 })

  rmSync(logTo, { recursive: true })
  writeFileSync(logTo, '')
  await send('while its directory is a file')
  await until('the report in status', async () => /TROUBLE/.test(await shown()), 90_000)
  expect(await shown()).toMatch(/^Tail +\d+ entr(y|ies) and \d+ s behind, .*; TROUBLE: .*directory/m)
  const { behind_entries, behind_seconds, trouble } = await metrics(hub)
  expect([behind_entries! > 0, behind_seconds! > 0, trouble]).toEqual([true, true, 1])
  expect(hub.log).toContain('the tail of the backup cannot be written')
})

test('backup --verify, restore --to and the drill report what they found, applied and compared', async () => {
  const logTo = join(tempDir('tails'), 'log')
  const { hub, ben, send, written } = await followed(logTo)
  await written()
  const first = await hub.client(hub.adminToken).call(api.makeBackup)
  await written()
  const one = await send('one')
  await send('two')
  await written()
  const second = await hub.client(hub.adminToken).call(api.makeBackup)
  const three = await send('three')
  await written()
  const [tail, lastTail] = [first, second].map(({ file }) =>
    join(logTo, file.split('/').at(-1)!.replace(/db$/, 'log')),
  ) as [string, string]

  const verified = await command('backup', '--verify', first.file, '--log', logTo)
  expect(verified.stdout).toMatch(/ is good\.\nIt holds 2 members and 0 messages/)
  expect(verified.stdout).toContain(`The tail ${tail} is good: it has 2 entries up to entry ${second.seq}, of 2`)
  expect(verified.stdout).not.toContain('No later backup')
  const last = await command('backup', '--verify', lastTail)
  expect(last.stdout).toContain('is good: it has 1 entry up to')
  expect(last.stdout).toContain('No later backup has ended it.')
  const json = JSON.parse((await command('backup', '--verify', first.file, '--log', logTo, '--json')).stdout)
  expect(json).toMatchObject({ outcomes: first.outcomes, tail: { entries: 2, seq: second.seq, isEnded: true } })
  expect(await command('backup', '--verify', first.file, '--log', tempDir('empty'))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('There is no tail of'),
  })

  const drilled = await command('restore', first.file, '--to', 'end', '--log', logTo, '--drill')
  expect(drilled.stdout).toContain(`2 entries of its tail ${tail} were applied: it goes to entry ${second.seq}, of 2`)
  expect(drilled.stdout).toContain(
    `Every entry had the outcome that it had then, and at entry ${second.seq} rows and outcomes are what the hub then had.`,
  )
  const open = await command('restore', second.file, '--to', 'end', '--log', logTo, '--drill')
  expect(open.stdout).toContain('The tail has no fingerprint of the hub to compare with: the next backup adds one.')

  const { message } = await ben.client.call(api.getMessage, { params: { id: three.id } })
  await hub.stop()
  const restore = (file: string, ...args: string[]) =>
    command('restore', file, '--log', logTo, '--data', hub.dataDir, ...args)
  const told = await restore(first.file, '--to', String(one.seq))
  expect(told.stdout).toMatch(/^Restored .*\nIt holds 2 members.*\n1 entry of its tail .* goes to entry \d+, of 2/)
  await hub.start()
  expect((await ben.client.call(api.readInbox)).messages.map(({ body }) => body)).toEqual(['one'])
  await hub.stop()
  const toEnd = await restore(second.file, '--to', 'end', '--json')
  expect(JSON.parse(toEnd.stdout)).toMatchObject({ backup: { messages: 2 }, tail: { entries: 1, seq: three.seq } })
  const before = new Date(Date.parse(message.sentAt) - 1).toISOString()
  const toTime = await restore(second.file, '--to', before, '--json')
  expect(JSON.parse(toTime.stdout)).toMatchObject({ tail: { entries: 0, seq: second.seq } })

  const store = readFileSync(join(hub.dataDir, 'hub.db'))
  for (const [args, what] of [
    [['--to', 'yesterday'], "'yesterday' is not a position in the history."],
    [['--to', String(second.seq + 9)], `ends at entry ${second.seq}`],
    [['--to', String(first.seq - 1)], 'which is later'],
    [[], 'How far shall the tail be applied?'],
  ] as const) {
    const { code, stderr } = await restore(first.file, ...args)
    expect([code, stderr]).toEqual([expect.not.toBeOneOf([0]), expect.stringContaining(what)])
  }
  const bad = join(tempDir('bad'), 'hub.log')
  copyFileSync(tail, bad)
  writeFileSync(bad, readFileSync(bad).toString().replace('"two"', '"tWo"'))
  const { stderr } = await command('backup', '--verify', bad)
  expect(stderr).toContain('is damaged: the line at byte')
  expect(stderr).toContain(`--to ${one.seq} goes that far`)
  expect(readFileSync(join(hub.dataDir, 'hub.db'))).toEqual(store)
})
