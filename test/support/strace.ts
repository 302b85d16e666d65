import { spawnSync } from 'node:child_process'

/** Reports whether processes can be traced here. */
export function hasStrace(): boolean {
  return spawnSync('strace', ['-qq', '-e', 'trace=none', 'true']).status === 0
}

/** Returns the command prefix that kills a program with SIGKILL when it enters its `nth` call of a system call. */
export function killedAt(call: string, nth: number): string[] {
  const inject = `inject=${call}:signal=SIGKILL:when=${nth}`
  return ['strace', '-qq', '-f', '-o', '/dev/null', '-e', `trace=${call}`, '-e', inject]
}
