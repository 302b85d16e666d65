import { expect, test } from 'vitest'
import { argumentsOf, bootId, isWsl, listedProcess, machineId, type Platform, thisPlatform } from './platform.ts'
import { hasEnded, thisProcess } from './process-identity.ts'
import { socketPathIn } from './socket-path.ts'

/** A Mac: no /proc, and these programs. */
function mac(programs: Record<string, string> = {}, hostname = 'mac.local'): Platform {
  const run = (program: string, ...args: string[]) => programs[[program, ...args].join(' ')] ?? programs[program] ?? ''
  return { name: 'darwin', hostname: () => hostname, read: () => '', link: () => '', run }
}

const sysctl = { 'sysctl -n kern.bootsessionuuid': '8C5C2F1E-0000-4000-8000-1B5A2C3D4E5F' }
const lines = (start: string, state = 'S+') => ({ ...sysctl, ps: `${state}   ${start}` })
const [nine, ten] = ['Fri Nov 27 09:00:00 2026', 'Fri Nov 27 10:00:00 2026']

test('a process is identified by its id and start time, from ps where there is no /proc: a reused id is another process', () => {
  const identity = thisProcess(mac(lines(nine)))
  expect(identity).toEqual({ pid: process.pid, place: expect.stringContaining('8C5C2F1E'), startedAt: nine })
  const ended = (programs: Record<string, string>) => hasEnded(identity, mac(programs))
  expect([lines(nine), lines(ten), lines(nine, 'Z')].map(ended)).toEqual([false, true, true])
  // ps itself may fail: then the id alone counts.
  expect(ended(sysctl)).toBe(false)
  expect(hasEnded({ ...identity, pid: 2 ** 22 + 1 }, mac(sysctl))).toBe(true)
})

test('a Mac that is renamed by its network is the same host; after a reboot process ids mean others', () => {
  const identity = thisProcess(mac(lines(nine)))
  expect(hasEnded(identity, mac(lines(ten), 'mac.lan'))).toBe(true)
  const afterBoot = { ...lines(ten), 'sysctl -n kern.bootsessionuuid': 'another' }
  expect(hasEnded(identity, mac(afterBoot))).toBe(false)
})

test('ps and /proc report the same state, start and arguments of this process', context => {
  const { run } = thisPlatform
  if (run('ps', '-o', 'pid=', '-p', String(process.pid)) === '') context.skip('ps is not installed here')
  const withoutProc: Platform = { ...thisPlatform, read: () => '' }
  const [fromPs, fromProc] = [withoutProc, thisPlatform].map(platform => listedProcess(process.pid, platform))
  expect(fromPs).toEqual({ state: expect.stringMatching(/^[A-Z]$/), startedAt: expect.stringMatching(/ \d{4}$/) })
  expect(Math.abs(Date.parse(`${fromPs!.startedAt} UTC`) - (Date.now() - process.uptime() * 1000))).toBeLessThan(60_000)
  expect(fromProc!.startedAt).toMatch(/^\d+$/)
  expect(argumentsOf(process.pid, withoutProc)[0]).toBe(argumentsOf(process.pid, thisPlatform)[0])
  expect(listedProcess(2 ** 22 + 1, withoutProc)).toBe(undefined)
})

test('the host id comes from /etc/machine-id on Linux and from the hardware on macOS, and is empty where there is none', () => {
  const ioreg =
    '+-o J316sAP  <class IOPlatformExpertDevice>\n  {\n    "IOPlatformUUID" = "F00D0000-1111"\n    "model" = <"Mac">\n'
  expect(machineId(mac({ 'ioreg -rd1 -c IOPlatformExpertDevice': ioreg }))).toBe('F00D0000-1111')
  const linux = (files: Record<string, string>): Platform => ({
    ...mac(),
    name: 'linux',
    read: path => files[path] ?? '',
  })
  expect(machineId(linux({ '/etc/machine-id': '0123' }))).toBe('0123')
  expect([machineId(mac()), bootId(mac()), machineId(linux({}))]).toEqual(['', '', ''])
  const release = (text: string) => isWsl(linux({ '/proc/sys/kernel/osrelease': text }))
  expect([release('6.6.87.2-microsoft-standard-WSL2'), release('6.12.0-amd64')]).toEqual([true, false])
})

test('a socket path has at most 103 bytes on macOS and 107 on Linux, where longer ones are reached through /proc', () => {
  const dir = `/tmp/${'x'.repeat(100 - '/tmp/'.length)}`
  expect(socketPathIn(dir, 'ab', 'darwin').path).toBe(`${dir}/ab`)
  expect(() => socketPathIn(dir, 'abc', 'darwin')).toThrow('103 bytes at most')
  expect(socketPathIn(dir, 'abcdef', 'linux').path).toBe(`${dir}/abcdef`)
  expect(() => socketPathIn(dir, 'abcdefg', 'linux')).toThrow('ENOENT')
})
