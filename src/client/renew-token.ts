import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { takeLock } from '../disk/process-lock.ts'
import { replaceFile, syncDirectory } from '../disk/replace-file.ts'
import { meRoutes } from '../protocol/routes/me.ts'
import { mintToken, parseToken } from '../protocol/token.ts'
import type { Home } from './home.ts'
import { HubClient } from './hub-client.ts'
import type { Transport } from './transport/transport.ts'

/** Time after which the lock of a process that was suspended while it changed the token is taken over, in ms. */
const lock = { staleMs: 30_000 }

/** Longest wait for another process that is changing the token, in ms, and the interval between checks. */
const waitMs = 10_000
const checkMs = 100

/**
 * Renews `due`, the token of `home`, unless another process has done it. Resolves once the new token is in place, or at once if another
 * process is renewing it. If interrupted at any point, the next call finishes it: the new token is on disk, as `token.next-ID` with the id
 * of the one that it replaces, before it is sent to the hub, and the hub accepts it a second time. Throws errors of the hub and the disk.
 */
export async function renewToken(home: Home, transport: Transport, due: string): Promise<void> {
  await underLock(home, 0, async () => {
    if (readToken(home.tokenFile) !== due) return
    const { id, role } = parseToken(due)!
    const file = nextFile(home, id)
    const kept = readToken(file)
    const next = kept ?? mintToken(role)
    if (!kept) replaceFile(file, `${next}\n`, 0o600)
    await new HubClient({ transport, token: due }).call(meRoutes.renewToken, { body: { token: next } })
    putInPlace(home, due)
  })
}

/**
 * Recovers from the hub's refusal of `refused`, the token of `home`: finishes a renewal that was interrupted long ago, or repeats the last
 * renewal, with the previous token, on a hub that was restored to a time before it. Returns whether to retry the request. Never throws.
 */
export async function finishRenewal(home: Home, transport: Transport, refused: string): Promise<boolean> {
  try {
    const next = readToken(nextFile(home, parseToken(refused)?.id ?? ''))
    if (!next) return readToken(home.tokenFile) !== refused || (await renewAgain(home, transport, refused))
    await underLock(home, waitMs, async () => {
      if (readToken(home.tokenFile) !== refused) return
      await new HubClient({ transport, token: next }).call(meRoutes.renewToken, { body: { token: next } })
      putInPlace(home, refused)
    })
    return readToken(home.tokenFile) !== refused
  } catch {
    // The hub does not know that token either, or does not respond.
    return false
  }
}

/** Asks the hub to replace the previous token by `refused`. */
async function renewAgain(home: Home, transport: Transport, refused: string): Promise<boolean> {
  const before = readToken(beforeFile(home))
  if (!before || before === refused) return false
  await new HubClient({ transport, token: before }).call(meRoutes.renewToken, { body: { token: refused } })
  return true
}

/** Runs `work` under the lock of the token and returns its result; undefined if the lock is not free within `longestMs`. */
export async function underLock<T>(home: Home, longestMs: number, work: () => Promise<T>): Promise<T | undefined> {
  const path = join(home.runDir, 'token.lock')
  const until = performance.now() + longestMs
  let unlock = await takeLock(path, lock)
  while (!unlock && performance.now() < until) {
    await delay(checkMs)
    unlock = await takeLock(path, lock)
  }
  if (!unlock) return undefined
  try {
    return await work()
  } finally {
    await unlock()
  }
}

/** Removes the files that renewals of earlier tokens have left. */
export function removeRenewals(home: Home): void {
  for (const name of existsSync(home.dir) ? readdirSync(home.dir) : [])
    if (/^token\.(?:next-|before$)/.test(name)) rmSync(join(home.dir, name), { force: true })
}

/** Replaces the token `due` by the next one, unless another process has done so. */
function putInPlace(home: Home, due: string): void {
  if (readToken(home.tokenFile) !== due) return
  // Invalid a day later, unless the hub is restored to a time before this renewal.
  replaceFile(beforeFile(home), `${due}\n`, 0o600)
  try {
    renameSync(nextFile(home, parseToken(due)!.id), home.tokenFile)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  syncDirectory(home.dir)
}

function nextFile({ tokenFile }: Home, id: string): string {
  return `${tokenFile}.next-${id}`
}

function beforeFile({ tokenFile }: Home): string {
  return `${tokenFile}.before`
}

/** Returns the token in the file; undefined if the file is missing or holds no valid token. */
function readToken(path: string): string | undefined {
  try {
    const token = readFileSync(path, 'utf8').trim()
    return parseToken(token) ? token : undefined
  } catch {
    return undefined
  }
}
