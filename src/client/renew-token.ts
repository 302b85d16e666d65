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

/** How long a process that stopped while it changed the token keeps others from it, in ms. */
const lock = { staleMs: 30_000 }

/** How long whoever changes the token waits for another process that does, in ms. */
const waitMs = 10_000
const lookMs = 100

/**
 * Renews `due`, the token of `home`, unless another process has done it. Resolves once the new one is in its place, or at once where
 * another process is at it. Cut off at any point it is finished by the next call: the new token is on disk, as `token.next-ID` with the id
 * of the one that it replaces, before the hub hears of it, and the hub takes it a second time. Throws what the hub or the disk refused.
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
 * What can be done about `refused`, the token of `home`, which the hub does not know: a renewal that was cut off long ago is finished; a
 * hub that was restored to a time before the last renewal is told of it again, with the token of then. Answers whether the request is to be
 * made once more. Throws nothing.
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
    // The hub has not heard of that one either, or does not answer.
    return false
  }
}

/** Has the hub take `refused` in the place of the token of before. */
async function renewAgain(home: Home, transport: Transport, refused: string): Promise<boolean> {
  const before = readToken(beforeFile(home))
  if (!before || before === refused) return false
  await new HubClient({ transport, token: before }).call(meRoutes.renewToken, { body: { token: refused } })
  return true
}

/** Runs `work` while no other process of this machine changes the token, as far as that can be had within `longestMs`. */
export async function underLock<T>(home: Home, longestMs: number, work: () => Promise<T>): Promise<T | undefined> {
  const path = join(home.runDir, 'token.lock')
  const until = performance.now() + longestMs
  let unlock = await takeLock(path, lock)
  while (!unlock && performance.now() < until) {
    await delay(lookMs)
    unlock = await takeLock(path, lock)
  }
  if (!unlock) return undefined
  try {
    return await work()
  } finally {
    await unlock()
  }
}

/** Removes what renewals have left that concern a token of before. */
export function forgetRenewals(home: Home): void {
  for (const name of existsSync(home.dir) ? readdirSync(home.dir) : [])
    if (/^token\.(?:next-|before$)/.test(name)) rmSync(join(home.dir, name), { force: true })
}

/** Replaces the token by the next one, if it is still `due` and the next one still waits: another process may have been first. */
function putInPlace(home: Home, due: string): void {
  if (readToken(home.tokenFile) !== due) return
  // Useless a day later, unless the hub is restored to a time before this.
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

/** Undefined where there is none, or what is there is none. */
function readToken(path: string): string | undefined {
  try {
    const token = readFileSync(path, 'utf8').trim()
    return parseToken(token) ? token : undefined
  } catch {
    return undefined
  }
}
