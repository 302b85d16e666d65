import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { makeDirectory, replaceFile } from '../disk/replace-file.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { MessageId } from '../protocol/ids.ts'
import { maxBodyBytes, SendRequest, tooLarge } from '../protocol/messages.ts'

/**
 * A send as it is stored in the outbox. The sender's project is in the file's name instead, since an older client, which may send what
 * a newer one has kept, rejects unknown fields.
 */
const Kept = z.strictObject({ ...SendRequest.shape, id: MessageId })
export type Kept = z.output<typeof Kept>

/** One file of the outbox. */
export interface KeptFile {
  file: string
  request: Kept
  /** Time since it was kept, in ms. */
  ageMs: number
}

/** Returns `request` if it is valid; else throws. Checked before it is kept, since a later refusal would not reach its sender. */
export function wellFormed(request: Kept): Kept {
  const result = Kept.safeParse(request)
  const bytes = Buffer.byteLength(request.body)
  if (result.success && bytes > maxBodyBytes) throw tooLarge(bytes)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new ClaudeNetError(
    'invalid',
    `${issue?.path.join('.')}: ${issue?.message}`,
    'Correct it and send again; nothing was sent.',
  )
}

/** Appends `request` to those that wait in `directory`. Throws the system's error if the disk cannot be written. */
export function keep(directory: string, request: Kept): void {
  makeDirectory(directory)
  const last = Number(listKept(directory).at(-1)?.split('-')[0] ?? 0)
  const { fromProject, ...sent } = request
  const from = fromProject === undefined ? '' : `@${fromProject}`
  const file = `${String(last + 1).padStart(12, '0')}-${request.id}${from}.json`
  replaceFile(join(directory, file), JSON.stringify(sent), 0o600)
}

/** Returns the numbered files of `directory`, oldest first; none if it cannot be read, so that new sends do not fail. */
export function listKept(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter(file => /^\d{12}-.*\.json$/.test(file))
      .sort()
  } catch {
    return []
  }
}

/** Reads one file. Returns undefined if it no longer exists; throws if it is damaged. */
export function readKept(directory: string, file: string): KeptFile | undefined {
  const path = join(directory, file)
  try {
    const [, fromProject] = /@(.+)\.json$/.exec(file) ?? []
    const sent = JSON.parse(readFileSync(path, 'utf8')) as object
    const request = Kept.parse({ ...sent, ...(fromProject && { fromProject }) })
    return { file, request, ageMs: Math.abs(Date.now() - statSync(path).mtimeMs) }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Returns the message id in the name of a kept file or of its refusal. */
export function idOf(file: string): string {
  return file.slice(13, -'.json'.length).replace(/@.*$/, '')
}
