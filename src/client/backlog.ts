import type { Kept, KeptFile } from './kept.ts'
import { type Directory, isForOne, overlap, typedNames } from './outbox-order.ts'

/**
 * How long a send to several waits behind one to a single recipient that cannot go, in ms, and everything behind one of which is
 * not known whom it touches. After that it goes to all who take it, so that one inbox holds up nobody else for long.
 */
export const patienceMs = 60_000

/** What has to wait, and whom it keeps what comes later from. */
export class Backlog {
  /** By the names that they were sent to, oldest first. */
  readonly #waiting = new Map<string, { to: string[]; files: KeptFile[] }>()
  readonly #directory: () => Promise<Directory>
  /** Why each waits, by id. */
  readonly reasons = new Map<string, string>()

  /** `directory` says who is meant by which name; it is asked only when the names by themselves do not tell. */
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

  /** Why the first of them waits, or ''. */
  get why(): string {
    return this.reasons.values().next().value ?? ''
  }

  whyOf({ request }: KeptFile): string | undefined {
    return this.reasons.get(request.id)
  }

  /** Whether another than `id` waits for this very reason. */
  hasReason(why: string, id: string): boolean {
    return [...this.reasons].some(([other, reason]) => other !== id && reason === why)
  }

  /** Those that may touch an inbox that `request` touches, oldest first. Throws `unavailable` when that cannot be found out. */
  async before({ to }: Pick<Kept, 'to'>): Promise<KeptFile[]> {
    if (this.#waiting.size === 0) return []
    const names = typedNames(to)
    const groups = [...this.#waiting.values()]
    if (groups.every(group => group.to.some(name => names.includes(name)))) return inOrder(groups)
    const directory = await this.#directory()
    const ours = directory.touched(to)
    return inOrder(groups.filter(group => overlap(ours, directory.touched(group.to))))
  }

  /** Whether `kept` has waited long enough behind those in `before`, where more than their own recipients would wait with it. */
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
