import { ClaudeNetError } from '../../protocol/errors.ts'
import type { MailOf } from '../../protocol/messages.ts'
import { recipientsIn } from '../../protocol/names.ts'
import type { Identity } from '../auth/identify.ts'
import type { ConsoleSettings } from '../config/door.ts'
import type { Hub } from '../hub.ts'
import type { Watch } from '../seeing/watch.ts'
import { memberMeant } from '../state/query/find-member.ts'
import { readsTexts, type Viewer } from '../state/query/viewer.ts'
import { refused } from '../state/refusal-words.ts'
import { refuseUnknown } from '../state/refusals.ts'

/** Most names in the parameter `of` of a request. */
const maxOf = 100

/** Decides what a caller may see, for the routes that show messages. */
export class Sight {
  readonly #adminReads: () => boolean
  readonly #watch: Pick<Watch, 'audit'>

  constructor(settings: () => Pick<ConsoleSettings['console'], 'adminReads'>, watch: Pick<Watch, 'audit'>) {
    this.#adminReads = () => settings().adminReads
    this.#watch = watch
  }

  viewerOf({ member }: Identity): Viewer {
    return { member, readsTexts: member === 0 && this.#adminReads() }
  }

  /** Reports whether the caller may read the texts of the messages it sees. */
  readsTexts(identity: Identity): boolean {
    return readsTexts(this.viewerOf(identity))
  }

  /** Writes an audit line when an admin reads texts, which `detail` describes; none when members read their own. */
  looks({ identity, address }: { identity: Identity; address: string }, target: string | null, detail: string): void {
    if (identity.member !== 0 || !this.readsTexts(identity)) return
    const { name: actor, tokenId } = identity
    this.#watch.audit.add({ actor, tokenId, address, action: 'console.read', target, detail, result: 'ok' })
  }
}

/** Returns the members that `of` names, each once; undefined without `of`. Throws `not_found` for an unknown name. */
export function membersNamed({ state: { db } }: Hub, of: MailOf | undefined): number[] | undefined {
  if (of === undefined) return undefined
  const names = [...new Set([of].flat().flatMap(recipientsIn))]
  if (names.length === 0)
    throw new ClaudeNetError('invalid', 'query.of: it names nobody', 'Name a member, or leave it out.')
  if (names.length > maxOf)
    throw new ClaudeNetError(
      'invalid',
      `query.of: it names ${names.length} members; ${maxOf} is the most`,
      'Name fewer.',
    )
  const ids = names.map(name => {
    const member = memberMeant(db, name)
    if (!member) throw refused(db, refuseUnknown(name).refusal)
    return member.id
  })
  return [...new Set(ids)]
}
