import { closeSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import * as z from 'zod'
import { makeDirectory, replaceFile } from '../disk/replace-file.ts'
import { ErrorBody } from '../protocol/error-body.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { Home } from './home.ts'
import { idOf, type Kept, listKept } from './kept.ts'

/** A send that waited and was then finally refused by all recipients in `to`. */
export interface Refused {
  id: string
  to: string | string[]
  error: ClaudeNetError
}

const RefusedFile = z.object({ id: z.string(), to: z.union([z.string(), z.array(z.string())]), ...ErrorBody.shape })

/**
 * `outbox/refused/`: sends that a hub refused after they had waited. The machine's sessions and its commands are each notified once,
 * since the sender is not recorded: a file that a session was notified of is moved to `told/`; for one that a command has printed,
 * `printed/` has an empty file of the same name. Doctor lists them all.
 */
export class Refusals {
  readonly #dir: string
  /** Refusals that could not be written. This process reports them all the same. */
  readonly #unwritten: Refused[] = []
  /** Files that could not be marked as reported. This process does not report them twice. */
  readonly #reportedHere = new Set<string>()

  constructor(home: Home) {
    this.#dir = join(home.outboxDir, 'refused')
  }

  /** The directory of the files. */
  get directory(): string {
    return this.#dir
  }

  /** Records that `request` was refused by `to`. Returns false if the disk cannot be written. */
  add(file: string, request: Kept, to: Refused['to'], error: ClaudeNetError): boolean {
    try {
      makeDirectory(this.#dir)
      const record = { ...request, to, ...error.toBody(), refusedAt: new Date().toISOString() }
      replaceFile(join(this.#dir, file), JSON.stringify(record), 0o600)
      return true
    } catch {
      this.#unwritten.push({ id: request.id, to, error })
      return false
    }
  }

  /** Moves a damaged file here unchanged: it is reported as damaged, and parts of it may be recovered by hand. */
  setAside(path: string): void {
    makeDirectory(this.#dir)
    renameSync(path, join(this.#dir, basename(path)))
  }

  /** Returns those that no session was notified of yet, each once. */
  take(): Refused[] {
    const told = join(this.#dir, 'told')
    return this.#readMarked(listKept(this.#dir), file => {
      makeDirectory(told)
      renameSync(join(this.#dir, file), join(told, file))
      return join(told, file)
    })
  }

  /** Returns those that no command has printed yet, each once. */
  takeToPrint(): Refused[] {
    const printed = join(this.#dir, 'printed')
    return [this.#dir, join(this.#dir, 'told')].flatMap(dir =>
      this.#readMarked(
        listKept(dir),
        file => {
          makeDirectory(printed)
          closeSync(openSync(join(printed, file), 'wx', 0o600))
          return join(dir, file)
        },
        dir,
      ),
    )
  }

  /** Reads those of `files` that `mark` could mark as reported. `mark` throws if another process was first or the disk cannot be written. */
  #readMarked(files: string[], mark: (file: string) => string, dir = this.#dir): Refused[] {
    const marked = files.flatMap(file => {
      if (this.#reportedHere.has(file)) return []
      try {
        return read(mark(file))
      } catch (error) {
        if (['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) return []
        this.#reportedHere.add(file)
        return read(join(dir, file))
      }
    })
    return [...this.#unwritten.splice(0), ...marked]
  }

  /** Returns all that are on this disk, reported or not. */
  all(): Refused[] {
    return [this.#dir, join(this.#dir, 'told')].flatMap(dir => listKept(dir).flatMap(file => read(join(dir, file))))
  }

  /** Deletes the refusal of `id`, whose sender gets it directly. */
  forget(id: string): void {
    for (const file of listKept(this.#dir)) if (idOf(file) === id) rmSync(join(this.#dir, file), { force: true })
  }
}

function read(path: string): Refused[] {
  try {
    const { id, to, error } = RefusedFile.parse(JSON.parse(readFileSync(path, 'utf8')))
    return [{ id, to, error: ClaudeNetError.fromBody({ error }) }]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    return [damagedFile(basename(path), dirname(path))]
  }
}

/** Returns an entry for a file that cannot be read, with the id in its name. */
function damagedFile(file: string, directory: string): Refused {
  const error = new ClaudeNetError('invalid', 'A kept message was damaged on this disk.', `See ${directory}`)
  return { id: idOf(file), to: '?', error }
}
