import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { ClaudeNetError } from '../protocol/errors.ts'
import { count } from '../text/spans.ts'
import { visibleLine } from '../text/visible.ts'
import { inWords } from './backup.ts'
import { loadHub } from './hub.ts'
import { print } from './output.ts'
import { UsageError } from './usage-error.ts'

interface RestoreOptions {
  data?: string
  drill?: boolean
  to?: string
  log?: string
  json?: boolean
}

export function restoreCommand(): Command {
  return new Command('restore')
    .description('Make a backup the store of a stopped hub, or test a backup')
    .argument('<file>', 'The backup')
    .option('--data <dir>', 'Data directory of the hub; its previous store is kept')
    .option('--drill', 'Change nothing: restore into a temporary directory, open it, and compare every row')
    .option('--to <place>', "Also apply the backup's tail, up to a time, the number of an entry, or 'end'")
    .option('--log <dir>', 'Directory of the tail: backup.logTo of hub.json (default: beside the backup)')
    .option('--json', 'Print JSON')
    .action(async (file: string, options: RestoreOptions) => {
      if ((options.data === undefined) === !options.drill) {
        throw new UsageError(
          'Where shall it be restored?',
          'claude-net restore FILE --data DIR, or claude-net restore FILE --drill',
        )
      }
      if (options.log !== undefined && options.to === undefined) {
        throw new ClaudeNetError('invalid', 'How far shall the tail be applied?', 'Say --to end, a time, or an entry.')
      }
      const { drill, restore, diskInWords } = await loadHub()
      const beyond = { to: options.to === undefined ? undefined : toTarget(options.to), log: options.log }
      /** Describes a full disk in a sentence. */
      const on = <T>(dir: string, act: () => T): T => {
        try {
          return act()
        } catch (error) {
          const trouble = diskInWords(error, dir)
          // `unavailable` would exit with 75, but trying again later does not help here.
          const isDisk = trouble instanceof ClaudeNetError && trouble.code === 'unavailable'
          throw isDisk ? new ClaudeNetError('internal', trouble.message, trouble.hint) : trouble
        }
      }
      if (options.data === undefined) {
        const { backup, tail } = on(tmpdir(), () => drill(file, beyond))
        print(options, { ...backup, ...(tail && { tail }) }, () =>
          [
            'The drill is good: restored, opened and compared, it is the same.',
            inWords(backup),
            ...(tail ? [tailInWords(tail), comparedInWords(tail)] : []),
          ].join('\n'),
        )
        return
      }
      const dir = resolve(options.data)
      const restored = on(dir, () => restore(file, dir, beyond))
      print(options, restored, () => told(restored, existsSync(join(dir, 'identity.json'))))
    })
}

type Restored = ReturnType<Awaited<ReturnType<typeof loadHub>>['restore']>
type Tail = NonNullable<Restored['tail']>

/** Reads `--to`: an entry's number, a time, or `end`. */
function toTarget(text: string): { seq: number } | { time: number } | 'end' {
  if (text === 'end') return text
  if (/^\d{1,15}$/.test(text)) return { seq: Number(text) }
  const time = /^\d{4}-\d\d-\d\d([T ]|$)/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(time)) return { time }
  throw new ClaudeNetError(
    'invalid',
    `'${text}' is not a position in the history.`,
    "Say an entry's number, a time such as 2026-11-22T15:04:05Z, or end.",
  )
}

function tailInWords({ file, entries, seq, at }: Tail): string {
  return `${count(entries, 'entry', 'entries')} of its tail ${file} were applied: it goes to entry ${seq}, of ${at}.`
}

function comparedInWords({ compared }: Tail): string {
  const all = 'Every entry had the outcome that it had then'
  const places = compared.length > 1 ? 'at entries' : 'at entry'
  if (compared.length === 0)
    return `${all}. The tail has no fingerprint of the hub to compare with: the next backup adds one.`
  return `${all}, and ${places} ${compared.join(', ')} rows and outcomes are what the hub then had.`
}

function told({ backup, tail, replaced, tokens, gone, back }: Restored, hasKey: boolean): string {
  const names = (list: string[]) => visibleLine(list.join(', '), 1000)
  const lines = [
    `Restored ${backup.file}`,
    inWords(backup),
    ...(tail ? [tailInWords(tail)] : []),
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
  if (!hasKey)
    lines.push(
      '- The hub will make a new key, for there is no identity.json here: machines that pinned the old one refuse it. If you have a copy of that file, put it here before the start.',
    )
  if (gone.length > 0) lines.push(`- Unknown now, for they came later: ${names(gone)}. Invite them again.`)
  if (back.length > 0)
    lines.push(`- Back, though deleted since: ${names(back)}. They have no token; delete them again.`)
  lines.push('- Aliases, groups, owners, names and settings are those of then.', '', 'Start the hub now.')
  return lines.join('\n')
}
