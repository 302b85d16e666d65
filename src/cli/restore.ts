import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { ClaudeNetError } from '../protocol/errors.ts'
import { visibleLine } from '../text/visible.ts'
import { inWords } from './backup.ts'
import { loadHub } from './hub.ts'
import { print } from './output.ts'
import { UsageError } from './usage-error.ts'

interface RestoreOptions {
  data?: string
  drill?: boolean
  json?: boolean
}

export function restoreCommand(): Command {
  return new Command('restore')
    .description('make a backup the store of a hub that does not run, or try a backup out')
    .argument('<file>', 'the backup')
    .option('--data <dir>', 'data directory of the hub; its store is kept aside')
    .option('--drill', 'change nothing: restore into a temporary directory, open it, compare every row')
    .option('--json', 'print JSON')
    .action(async (file: string, options: RestoreOptions) => {
      if ((options.data === undefined) === !options.drill) {
        throw new UsageError(
          'Where shall it be restored?',
          'claude-net restore FILE --data DIR, or claude-net restore FILE --drill',
        )
      }
      const { drill, restore, diskInWords } = await loadHub()
      /** What a full disk says, in a sentence. */
      const on = <T>(dir: string, act: () => T): T => {
        try {
          return act()
        } catch (error) {
          const trouble = diskInWords(error, dir)
          // `unavailable` ends with 75, and trying again later is no help here.
          const isDisk = trouble instanceof ClaudeNetError && trouble.code === 'unavailable'
          throw isDisk ? new ClaudeNetError('internal', trouble.message, trouble.hint) : trouble
        }
      }
      if (options.data === undefined) {
        const backup = on(tmpdir(), () => drill(file))
        print(
          options,
          backup,
          () => `The drill is good: restored, opened and compared, it is the same.\n${inWords(backup)}`,
        )
        return
      }
      const dir = resolve(options.data)
      const restored = on(dir, () => restore(file, dir))
      print(options, restored, () => told(restored))
    })
}

function told({
  backup,
  replaced,
  tokens,
  gone,
  back,
}: ReturnType<Awaited<ReturnType<typeof loadHub>>['restore']>): string {
  const names = (list: string[]) => visibleLine(list.join(', '), 1000)
  const lines = [
    `Restored ${backup.file}`,
    inWords(backup),
    replaced
      ? `The store of before is kept in ${replaced}; remove it once you are sure.`
      : 'There was no store before.',
    '',
    'What this means:',
    '- Messages after that are gone. What a machine could not send yet waits in its outbox and comes again.',
    '- What was read after that is unread again.',
    '- Join codes are void: claude-net invite NAME makes new ones.',
    tokens === 'replaced'
      ? '- Tokens are as they were at last: what was revoked since stays revoked.'
      : '- Every token of then counts again, also those revoked since. claude-net audit --action revokeMember lists whose; revoke them again.',
  ]
  if (gone.length > 0) lines.push(`- Unknown now, for they came later: ${names(gone)}. Invite them again.`)
  if (back.length > 0)
    lines.push(`- Back, though deleted since: ${names(back)}. They have no token; delete them again.`)
  lines.push('- Aliases, groups, owners, names and settings are those of then.', '', 'Start the hub now.')
  return lines.join('\n')
}
