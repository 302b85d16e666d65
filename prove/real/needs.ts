import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { withoutEtcd } from '../../test/support/etcd.ts'

/**
 * What a fault takes of the machine:
 *
 *   namespace  mounts, network and processes of the run's own (unshare of util-linux and ip of iproute2, as root or with user namespaces)
 *   nft        rules that drop packets (nftables)
 *   gcc        a library that keeps what was synced
 *   strace     system calls that fail
 *   faketime   a wall clock that is set
 *   etcd       the log that several hubs share
 */
export type Need = 'namespace' | 'nft' | 'gcc' | 'strace' | 'faketime' | 'etcd'

/** Set in the process that runs in namespaces of its own. */
export const isolatedBy = 'CLAUDE_NET_PROVE_ISOLATED'

const reasons = new Map<Need, string | undefined>()

/** Why this machine does not have what `need` says; undefined where it has it. */
export function whyNot(need: Need): string | undefined {
  if (!reasons.has(need)) reasons.set(need, looks[need]())
  return reasons.get(need)
}

const looks: Record<Need, () => string | undefined> = {
  namespace: () =>
    process.env[isolatedBy] === 'yes'
      ? undefined
      : (process.env[isolatedBy] ?? 'the run is not in namespaces of its own'),
  nft: () => whyNot('namespace') ?? fails('nft', ['list', 'ruleset'], 'nftables'),
  gcc: () => fails('gcc', ['--version'], 'gcc'),
  strace: () => fails('strace', ['-qq', '-e', 'trace=none', 'true'], 'strace'),
  faketime: () =>
    globSync('/usr/lib/*/faketime/libfaketimeMT.so.1').length > 0
      ? undefined
      : 'libfaketime is not installed here (Debian: faketime)',
  etcd: () => withoutEtcd,
}

function fails(command: string, args: string[], debian: string): string | undefined {
  const { error, status, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (error) return `${command} is not installed here (Debian: ${debian})`
  return status === 0 ? undefined : `${command} cannot be used here: ${stderr.trim().split('\n').at(-1)}`
}
