import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Process, start } from './processes.ts'

/** Path of the server, which is not on every user's PATH. */
const server = '/usr/sbin/sshd'

/** Reason why ssh cannot be measured here, or undefined. */
export function whyNoSshd(): string | undefined {
  if (!existsSync(server)) return 'sshd is missing here'
  if (spawnSync('ssh', ['-V']).error) return 'ssh is missing here'
  try {
    mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  } catch {
    return 'sshd needs /run/sshd, which cannot be made here'
  }
  return undefined
}

/** Starts an sshd on loopback with temporary keys in `dir`. `dir/tools/ssh bench` connects to it. */
export async function startSshd(dir: string): Promise<Process> {
  mkdirSync(join(dir, 'tools'), { recursive: true, mode: 0o700 })
  for (const key of ['host_key', 'key']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, key)])
  }
  const port = await freePort()
  const lines = {
    sshd_config: [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${dir}/host_key`,
      `AuthorizedKeysFile ${dir}/key.pub`,
      'UsePAM no',
      'StrictModes no',
      'PidFile none',
      'LogLevel ERROR',
    ],
    known_hosts: [`[127.0.0.1]:${port} ${readFileSync(join(dir, 'host_key.pub'), 'utf8')}`],
    ssh_config: [
      'Host bench',
      'HostName 127.0.0.1',
      `Port ${port}`,
      `User ${userInfo().username}`,
      `IdentityFile ${dir}/key`,
      'IdentitiesOnly yes',
      'IdentityAgent none',
      `UserKnownHostsFile ${dir}/known_hosts`,
    ],
    'tools/ssh': ['#!/bin/sh', `exec /usr/bin/ssh -F ${dir}/ssh_config "$@"`],
  }
  for (const [name, text] of Object.entries(lines)) writeFileSync(join(dir, name), `${text.join('\n')}\n`)
  chmodSync(join(dir, 'tools/ssh'), 0o755)
  const sshd = new Process(start(server, ['-D', '-e', '-f', join(dir, 'sshd_config')], { stdout: 2 }), port)
  const ask = ['-o', 'BatchMode=yes', 'bench', 'true']
  for (let tries = 0; spawnSync(join(dir, 'tools/ssh'), ask, { stdio: 'ignore' }).status !== 0; tries++) {
    if (tries === 50) throw new Error('sshd was started and lets nobody in.')
    await delay(50)
  }
  return sshd
}

async function freePort(): Promise<number> {
  const listener = createServer()
  await new Promise<void>(resolve => listener.listen(0, '127.0.0.1', resolve))
  const { port } = listener.address() as { port: number }
  await new Promise(resolve => listener.close(resolve))
  return port
}
