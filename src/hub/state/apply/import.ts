import { type CommandOf, done, type Entry, type Outcome } from '../commands.ts'
import type { Refusal, Refused } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { applyAdd } from './members.ts'
import { applyAliasSet, applyGroupSet } from './names.ts'

type Import = CommandOf<'organization.import'>

/** Thrown to undo the steps before the refused one. */
class StepRefused extends Error {
  readonly refusal: Refusal
  constructor(refusal: Refusal) {
    super(refusal.why.code)
    this.refusal = refusal
  }
}

/** Makes members, then aliases, then groups, each as its own command would: all of them, or none when one is refused. */
export function applyImport(db: Database, { seq, time, command }: Entry<Import>): Outcome<Import> {
  const { members, aliases, groups } = command
  const added: string[] = []
  try {
    db.savepoint(() => {
      for (const member of members) {
        const outcome = applyAdd(db, { seq, time, command: { type: 'member.add', ...member } })
        if (resultOf(outcome).added) added.push(member.name)
      }
      for (const alias of aliases) resultOf(applyAliasSet(db, { seq, time, command: { type: 'alias.set', ...alias } }))
      for (const group of groups) resultOf(applyGroupSet(db, { seq, time, command: { type: 'group.set', ...group } }))
    })
  } catch (error) {
    if (!(error instanceof StepRefused)) throw error
    const { code, why } = error.refusal
    return { ok: false, refusal: { code, why: { code: 'not_imported', step: why } } }
  }
  return done<Import>({ added })
}

function resultOf<R>(outcome: { ok: true; result: R } | Refused): R {
  if (outcome.ok) return outcome.result
  throw new StepRefused(outcome.refusal)
}
