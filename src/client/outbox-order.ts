import type { MembersAnswer } from '../protocol/members.ts'
import { everyone } from '../protocol/names.ts'
import { addressOf } from '../protocol/projects.ts'

/** The inboxes that a send may reach. */
export interface Touched {
  /** Names of members, as far as the typed names can be resolved; otherwise the typed names. */
  names: ReadonlySet<string>
  /** Whether it may reach others, too, through a group or an alias that this client cannot resolve. */
  isOpen: boolean
}

/** Resolves the names that a sender typed: order is kept for each recipient, under whatever name it was addressed. */
export class Directory {
  readonly #members = new Map<string, string[]>()

  /** Takes the hub's list of members. Without one, no name can be resolved. */
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

/** Returns the names of `to` without projects: messages for all projects of a member go into one inbox. */
export function typedNames(to: string | readonly string[]): string[] {
  return [to].flat().map(typed => addressOf(typed).name)
}

/** Reports whether both may reach a common recipient. */
export function overlap(one: Touched, other: Touched): boolean {
  return one.isOpen || other.isOpen || [...one.names].some(name => other.names.has(name))
}

/** Reports whether a send certainly goes to exactly one inbox, so that no other recipient waits with it. */
export function isForOne({ names, isOpen }: Touched): boolean {
  return names.size === 1 && !isOpen
}
