import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mayStartDrainer } from '../client/drainer.ts'
import type { Home } from '../client/home.ts'
import type { Drained, Outbox } from '../client/outbox.ts'
import { diskTrouble } from '../disk/replace-file.ts'
import { count } from '../text/spans.ts'
import { visibleLine } from '../text/visible.ts'
import { drainedLines } from './as-machine.ts'
import type { Check } from './check.ts'
import { hintText } from './output.ts'

/** As much as the longest message and what stands around it take, in bytes. */
const probeBytes = 256 * 1024

/** Whether what a session has to write can be written: sends that no hub answers, long texts, what its hooks should tell. */
export function diskChecks({ dir, outboxDir }: Home): Check[] {
  return [...new Set([dir, outboxDir])]
    .filter(each => existsSync(each))
    .flatMap(whyNotWritable)
    .slice(0, 1)
}

function whyNotWritable(directory: string): Check[] {
  const probe = join(directory, `.doctor.${process.pid}.new`)
  try {
    writeFileSync(probe, Buffer.alloc(probeBytes), { mode: 0o600, flush: true })
    return []
  } catch (error) {
    return [
      {
        link: 'disk',
        state: 'failed',
        found: `${directory} cannot be written: ${diskTrouble(error as NodeJS.ErrnoException)}`,
        mend: 'Make room there, or mend the disk. Until then a send that no hub answers is not kept, and long texts are not saved.',
      },
    ]
  } finally {
    try {
      rmSync(probe, { force: true })
    } catch {
      // The disk cannot be written, which is reported above.
    }
  }
}

/** Reports what waits, what was sent just now (`drained`, where the hub was reached), and what was refused. */
export function outboxChecks({ outboxDir }: Home, outbox: Outbox, drained?: Drained): Check[] {
  const waiting = outbox.waiting().length
  const [sent] = drained ? drainedLines({ ...drained, waiting: 0 }).filter(line => line.startsWith('Sent')) : []
  const refused = outbox.refusals.all()
  // They are reported here, so the next command need not report them.
  outbox.refusals.takeToPrint()
  return [
    ...(sent ? [{ link: 'outbox', state: 'ok' as const, found: sent }] : []),
    waiting === 0
      ? { link: 'outbox', state: 'ok', found: 'nothing waits' }
      : {
          link: 'outbox',
          state: 'warning',
          found: `${count(waiting, 'message')} waiting${drained ? `: ${drained.why}` : ' for the hub'}`,
          mend: drained?.refusesUs
            ? 'They stay until the hub takes this machine again.'
            : mayStartDrainer()
              ? `They go out by themselves${drained ? '' : ' when it is back'}.`
              : 'The next command or session sends them.',
        },
    ...refused.map(
      ({ id, to, error }): Check => ({
        link: 'outbox',
        state: 'warning',
        found: `${id} (to ${visibleLine([to].flat().join(', '), 100)}) was refused: ${error.message}`,
        mend: `${hintText(error.hint)} (It is kept in ${outboxDir}/refused; delete it when done.)`,
      }),
    ),
  ]
}
