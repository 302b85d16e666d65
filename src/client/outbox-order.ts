import type { MembersAnswer } from '../protocol/members.ts'
import { everyone } from '../protocol/names.ts'
import { addressOf } from '../protocol/projects.ts'

/** Whose inboxes a send may touch. */
export interface Touched {
  /** Members by their names, as far as it is known who is meant; otherwise the names as they were typed. */
  names: ReadonlySet<string>
  /** Whether it may touch others, too: a group, or an alias, that this client knows nothing of. */
  isOpen: boolean
}

/** Who is meant by the names that a sender typed: order is owed to each recipient, by whatever name it is called. */
export class Directory {
  readonly #members = new Map<string, string[]>()

  /** From the hub's list of members; without one, nothing is known of any name. */
  constructor(list?: MembersAnswer) {
    if (!list) return
    const machines = list.members.filter(({ kind, name }) => kind === 'machine' && name !== list.you)
    this.#members.set(
      everyone,
      machines.map(({ name }) => name),
    )
    for (const { name, members } of list.groups ?? []) this.#members.set(name, members)
    for (const { name, aliases } of list.members) for (const each of [...aliases, name]) this.#members.set(each, [name])
  }

  touched(to: string | readonly string[]): Touched {
    const typed = typedNames(to)
    const found = typed.map(name => this.#members.get(name))
    return {
      names: new Set(typed.flatMap((name, index) => found[index] ?? [name])),
      isOpen: found.includes(undefined),
    }
  }
}

/** The names of `to` in the form that they are looked up by. Mail for all projects of a member goes into one inbox. */
export function typedNames(to: string | readonly string[]): string[] {
  return [to].flat().map(typed => addressOf(typed).name)
}

/** Whether some recipient may be touched by both. */
export function overlap(one: Touched, other: Touched): boolean {
  return one.isOpen || other.isOpen || [...one.names].some(name => other.names.has(name))
}

/** Whether a send goes to one inbox, for sure: nobody else waits when it does. */
export function isForOne({ names, isOpen }: Touched): boolean {
  return names.size === 1 && !isOpen
}
