import { chmodSync, copyFileSync, existsSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { Command } from 'commander'
import { syncDirectory, syncFile } from '../disk/replace-file.ts'
import { api } from '../protocol/api.ts'
import type { BackupReport } from '../protocol/backup.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { bytesInWords } from '../text/bytes.ts'
import { count } from '../text/spans.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { loadHub } from './hub.ts'
import { print } from './output.ts'
import { UsageError } from './usage-error.ts'

type TailReport = ReturnType<Awaited<ReturnType<typeof loadHub>>['checkTail']>

/** Timeout of a backup, in ms: it is read back whole before it counts as good. */
const timeoutMs = 3_600_000

export function backupCommand(): Command {
  const command = new Command('backup')
    .description('Back up a running hub, and check the backup by reading it back')
    .argument('[target]', 'File or directory to copy the backup to; without it the backup stays on the host of the hub')
    .option('--verify <file>', 'Make no backup; read and check this one with its tail, and report what they contain')
    .option(
      '--log <dir>',
      'With --verify: directory of the tail, backup.logTo of hub.json (default: beside the backup)',
    )
  return withAdminOptions(command).action(
    async (target: string | undefined, options: AdminOptions & { verify?: string; log?: string }) => {
      if (options.verify !== undefined) {
        await verify(options.verify, options)
        return
      }
      if (target !== undefined) refuseTarget(target, options)
      await asAdmin(
        options,
        async client => {
          const made = await client.call(api.makeBackup)
          const report = target === undefined ? made : { ...made, file: copyTo(target, made) }
          print(options, report, () => `Backed up to ${report.file}\n${inWords(report)}`)
        },
        timeoutMs,
      )
    },
  )
}

/** Reads a backup with its tail, or a tail alone. */
async function verify(file: string, options: { log?: string; json?: boolean }): Promise<void> {
  const { checkBackup, checkTail, findTail, isTail, placeOfBackup } = await loadHub()
  if (isTail(file)) {
    const tail = checkTail(file)
    print(options, tail, () => tailInWords(tail))
    return
  }
  const report = checkBackup(file)
  const dir = options.log ?? dirname(resolve(file))
  const found = isDirectory(dir) ? findTail(dir, placeOfBackup(file)) : undefined
  if (options.log !== undefined && found === undefined)
    throw new ClaudeNetError(
      'not_found',
      `There is no tail of ${file} in ${dir}.`,
      'Name the directory of backup.logTo.',
    )
  const tail = found === undefined ? undefined : checkTail(found)
  print(options, { ...report, ...(tail && { tail }) }, () =>
    [`${report.file} is good.`, inWords(report), ...(tail ? [tailInWords(tail)] : [])].join('\n'),
  )
}

function tailInWords({ file, entries, seq, lastAt, tornBytes, isEnded }: TailReport): string {
  const end = lastAt === null ? '' : ` up to entry ${seq}, of ${lastAt}`
  const torn =
    tornBytes === 0 ? '' : ` ${bytesInWords(tornBytes)} at its end are of an unfinished entry, and count for nothing.`
  const open = isEnded ? '' : ' No later backup has ended it.'
  return `The tail ${file} is good: it has ${count(entries, 'entry', 'entries')}${end}.${open}${torn}`
}

/** Describes the content of a backup in a sentence. */
export function inWords({ members, messages, unread, bytes, lastChangeAt, schema }: BackupReport): string {
  const mail = `${count(messages, 'message')}, ${unread} unread`
  return `It holds ${count(members, 'member')} and ${mail}, as of its last change at ${lastChangeAt}; ${bytesInWords(bytes)}, schema ${schema}.`
}

/** Before the hub does any work. */
function refuseTarget(target: string, { hub }: AdminOptions): void {
  if (hub !== undefined) {
    throw new UsageError(
      'A backup of a hub elsewhere stays on its host.',
      'Leave the target out, and fetch the file that is named, such as with scp.',
    )
  }
  const [dir, file] = isDirectory(target) ? [target, undefined] : [dirname(resolve(target)), target]
  if (!isDirectory(dir))
    throw new ClaudeNetError('not_found', `There is no directory ${dir}.`, 'Make it, or name another.')
  if (file !== undefined && existsSync(file))
    throw new ClaudeNetError(
      'conflict',
      `${file} exists.`,
      'Name another file, or a directory; nothing is overwritten.',
    )
}

/** A copy of a finished backup under a name that is there only once it is whole. Answers its path. */
function copyTo(target: string, { file }: BackupReport): string {
  const path = resolve(isDirectory(target) ? join(target, basename(file)) : target)
  const part = `${path}.part`
  try {
    copyFileSync(file, part)
    chmodSync(part, 0o600)
    syncFile(part)
    renameSync(part, path)
    syncDirectory(dirname(path))
  } catch (error) {
    rmSync(part, { force: true })
    throw new ClaudeNetError(
      'internal',
      `${file} is made and good, but cannot be copied to ${path}: ${(error as Error).message}`,
      'Copy it by hand, before newer backups take its place.',
    )
  }
  return path
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}
