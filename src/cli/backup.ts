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

/** How long a backup may take, in ms: all of it is read again before it is called good. */
const timeoutMs = 3_600_000

export function backupCommand(): Command {
  const command = new Command('backup')
    .description('back up a running hub: a copy that was read whole and found good')
    .argument('[target]', 'a file, or a directory, that gets a copy of it; else it stays with the hub')
    .option('--verify <file>', 'make none, but read a backup whole and say what it holds')
  return withAdminOptions(command).action(
    async (target: string | undefined, options: AdminOptions & { verify?: string }) => {
      if (options.verify !== undefined) {
        const { checkBackup } = await loadHub()
        const report = checkBackup(options.verify)
        print(options, report, () => `${report.file} is good.\n${inWords(report)}`)
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

/** What a backup holds, in a sentence. */
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
