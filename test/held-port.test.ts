import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { listenPlaces } from '../src/cli/held-port.ts'
import { hubNode, run } from './support/program.ts'
import { tempDir } from './support/temp.ts'

test('the listen addresses that systemd prints for a socket unit are parsed in either form', () => {
  const shown =
    'LoadState=loaded\nListen=0.0.0.0:3500 (Stream)\n[::1]:3501 (Stream)\n/run/hub.sock (Stream)\nListen=[::]:1 (Datagram)\n'
  expect(listenPlaces(shown)).toEqual([
    { host: '0.0.0.0', port: 3500 },
    { host: '[::1]', port: 3501 },
  ])
  expect(listenPlaces('Listen=\n')).toEqual([])
})

test.for([
  ['of the same address', 'LoadState=loaded\nActiveState=active\nListen=0.0.0.0:3500 (Stream)', true, ['0.0.0.0:3500']],
  ['of another port', 'LoadState=loaded\nActiveState=active\nListen=0.0.0.0:3600 (Stream)', false, ['0.0.0.0:3600']],
  ['of another address', 'LoadState=loaded\nUnitFileState=enabled\nListen=[::1]:3500 (Stream)', false, ['[::1]:3500']],
  [
    'that is not used',
    'LoadState=loaded\nUnitFileState=disabled\nActiveState=inactive\nListen=[::1]:1 (Stream)',
    true,
    null,
  ],
  ['that is not there', 'LoadState=not-found\nActiveState=inactive', true, null],
] as const)('hub --check compares hub.json with a socket unit %s', async ([, shown, agrees, socket]) => {
  const dir = tempDir('check')
  writeFileSync(join(dir, 'systemctl'), `#!/bin/sh\ncat <<'END'\n${shown}\nEND\n`, { mode: 0o755 })
  const file = join(dir, 'hub.json')
  writeFileSync(file, '{}')
  const env = { PATH: `${dir}:${process.env.PATH}` }
  const check = (...more: string[]) => run(['hub', '--check', '--config', file, ...more], { node: hubNode, env })
  const { code, stdout } = await check('--json')
  // The file may belong to another hub: a difference is reported, but is not an error of the file.
  expect([code, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ ok: true, agrees, socket })])
  expect((await check()).stdout.includes('But systemd holds')).toBe(!agrees)
})
