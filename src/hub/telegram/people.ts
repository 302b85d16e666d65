import { ClaudeNetError } from '../../protocol/errors.ts'
import type { HumanSettings, TelegramSettings } from '../config/telegram.ts'
import type { Hub } from '../hub.ts'
import { memberByName } from '../state/query/find-member.ts'
import { chatNow, personOf } from '../state/query/telegram.ts'

/** A human of hub.json who is a member. */
export interface Person {
  /** Member id. */
  member: number
  name: string
  settings: HumanSettings
}

/**
 * The humans of hub.json with their Telegram users, from hub.json or confirmed by an admin. Identifies users by numeric id only: a user
 * name can pass to another person.
 */
export class People {
  readonly #hub: Hub
  readonly #settings: TelegramSettings
  #all: Person[] = []

  constructor(hub: Hub, settings: TelegramSettings) {
    this.#hub = hub
    this.#settings = settings
  }

  /** Makes the humans of hub.json members. Returns the reasons for those who cannot be made members. */
  async enrol(): Promise<string[]> {
    const refused: string[] = []
    const all: Person[] = []
    for (const [name, settings] of this.#settings.humans) {
      try {
        if (!this.#member(name)) await this.#hub.submit({ type: 'member.add', name, kind: 'human' })
        all.push({ member: this.#member(name)!, name, settings })
      } catch (error) {
        if (!(error instanceof ClaudeNetError)) throw error
        if (error.code === 'unavailable') throw error
        refused.push(error.message)
      }
    }
    this.#all = all
    for (const { member } of all) this.#hub.onTelegram.add(member)
    return refused
  }

  get all(): readonly Person[] {
    return this.#all
  }

  /** The current id of the group, also after it became a supergroup. */
  get group(): number {
    return chatNow(this.#hub.state.db, this.#settings.chatId)
  }

  byUser(user: number): Person | undefined {
    return this.#all.find(person => this.userOf(person) === user)
  }

  byMember(member: number): Person | undefined {
    return this.#all.find(person => person.member === member)
  }

  byName(name: string): Person | undefined {
    return this.#all.find(person => person.name === name)
  }

  /** Returns the person with this user name in hub.json, regardless of who has it on Telegram now. */
  byUserName(username: string | undefined): Person | undefined {
    if (username === undefined) return undefined
    return this.#all.find(({ settings }) => settings.username?.toLowerCase() === username.toLowerCase())
  }

  /** Returns a person's user id: from hub.json, else as an admin confirmed it; undefined without either. */
  userOf({ member, settings }: Person): number | undefined {
    return settings.id ?? personOf(this.#hub.state.db, member)?.user ?? undefined
  }

  /** Reports whether a person's messages go to a private chat: by their last /here, else by hub.json. */
  isPrivate(person: Person): boolean {
    if (this.userOf(person) === undefined) return false
    const said = personOf(this.#hub.state.db, person.member)?.isPrivate ?? null
    return said === null ? person.settings.private : said === 1
  }

  #member(name: string): number | undefined {
    const member = memberByName(this.#hub.state.db, name)
    return member?.kind === 'human' ? member.id : undefined
  }
}
