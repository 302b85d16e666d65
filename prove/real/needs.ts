import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { withoutEtcd } from '../../test/support/etcd.ts'

/**
 * Requirements of a fault:
 *
 *   namespace  mount, network and process namespaces (unshare of util-linux and ip of iproute2, as root or with user namespaces)
 *   nft        rules that drop packets (nftables)
 *   gcc        a library that records what was synced
 *   strace     failing system calls
 *   faketime   a settable wall clock
 *   etcd       the log that several hubs share
 */
export type Need = 'namespace' | 'nft' | 'gcc' | 'strace' | 'faketime' | 'etcd'

/** Set in the process that runs in its own namespaces. */
export const isolatedBy = 'CLAUDE_NET_PROVE_ISOLATED'

const reasons = new Map<Need, string | undefined>()

/** Returns the reason why this machine does not meet `need`; undefined if it does. */
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
