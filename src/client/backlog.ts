import type { Kept, KeptFile } from './kept.ts'
import { type Directory, isForOne, overlap, typedNames } from './outbox-order.ts'

/**
 * Time for which a send to several recipients waits behind a blocked send to one of them, and for which any send waits behind one
 * whose recipients cannot be resolved, in ms. After that it is sent, so that one inbox blocks the others only briefly.
 */
export const patienceMs = 60_000

/** The messages that have to wait, and the recipients for which later messages have to wait behind them. */
export class Backlog {
  /** The messages by the names that they were sent to, oldest first. */
  readonly #waiting = new Map<string, { to: string[]; files: KeptFile[] }>()
  readonly #directory: () => Promise<Directory>
  /** Reason why each message waits, by id. */
  readonly reasons = new Map<string, string>()

  /** `directory` resolves names; it is called only when the names alone do not decide whether two sends share a recipient. */
  constructor(directory: () => Promise<Directory>) {
    this.#directory = directory
  }

  add(kept: KeptFile, why?: string): void {
    const to = typedNames(kept.request.to)
    const key = to.join()
    const group = this.#waiting.get(key)
    if (group) group.files.push(kept)
    else this.#waiting.set(key, { to, files: [kept] })
    if (why !== undefined) this.reasons.set(kept.request.id, why)
  }

  remove({ file, request }: KeptFile): void {
    const key = typedNames(request.to).join()
    const group = this.#waiting.get(key)
    if (!group) return
    group.files = group.files.filter(other => other.file !== file)
    if (group.files.length === 0) this.#waiting.delete(key)
    this.reasons.delete(request.id)
  }

  /** Reason why the first of them waits, or ''. */
  get why(): string {
    return this.reasons.values().next().value ?? ''
  }

  whyOf({ request }: KeptFile): string | undefined {
    return this.reasons.get(request.id)
  }

  /** Reports whether a message other than `id` waits for exactly this reason. */
  hasReason(why: string, id: string): boolean {
    return [...this.reasons].some(([other, reason]) => other !== id && reason === why)
  }

  /** Returns those that may share an inbox with `request`, oldest first. Throws `unavailable` if names cannot be resolved. */
  async before({ to }: Pick<Kept, 'to'>): Promise<KeptFile[]> {
    if (this.#waiting.size === 0) return []
    const names = typedNames(to)
    const groups = [...this.#waiting.values()]
    if (groups.every(group => group.to.some(name => names.includes(name)))) return inOrder(groups)
    const directory = await this.#directory()
    const ours = directory.touched(to)
    return inOrder(groups.filter(group => overlap(ours, directory.touched(group.to))))
  }

  /**
   * Reports whether `kept` may pass those in `before`: after `patienceMs` a send to several may pass all, and any send those
   * whose recipients are unknown.
   */
  async mayPass({ request, ageMs }: KeptFile, before: KeptFile[]): Promise<boolean> {
    const isPatient = ageMs > patienceMs
    if (before.some(other => !isPatient && other.ageMs <= patienceMs)) return false
    const directory = await this.#directory()
    if (isPatient && !isForOne(directory.touched(request.to))) return true
    return before.every(other => other.ageMs > patienceMs && directory.touched(other.request.to).isOpen)
  }
}

function inOrder(groups: { files: KeptFile[] }[]): KeptFile[] {
  const [first, ...others] = groups
  if (others.length === 0) return first?.files ?? []
  return groups.flatMap(({ files }) => files).sort((a, b) => (a.file < b.file ? -1 : 1))
}
