import { formatAddress } from '../../../protocol/projects.ts'
import { ago, largestUnit } from '../../../text/spans.ts'
import { visibleLine } from '../../../text/visible.ts'
import type { TelegramSettings } from '../../config/telegram.ts'
import type { Hub } from '../../hub.ts'
import { limits } from '../../state/apply/limits.ts'
import {
  isPromptTold,
  mutesOf,
  type OwnedMachine,
  ownedMachines,
  promptsTold,
  saidByHub,
  unreadElsewhere,
  unreadOf,
  type Waiting,
} from '../../state/query/telegram.ts'
import { type Destination, destinationOf, nameIn } from '../destinations.ts'
import { type Html, html, joined } from '../html.ts'
import type { OutgoingPost } from '../outgoing-post.ts'
import type { People, Person } from '../people.ts'
import { projectSince } from '../project-since.ts'
import { isQuiet } from '../quiet.ts'
import { quotedBeginning, safeText } from '../safe-text.ts'

/** Most messages in one notice, and most UTF-16 units of a single one and of one among others. */
const maxShown = 10
const maxAlone = 1_000
const maxAmong = 200

/** Most messages for projects without a session that are examined together. */
const maxLooked = 100

/** Time for which the messages shown by a Telegram message are recorded, in ms. */
const { routeLifeMs } = limits

/** Age at which the hub's own messages are no longer announced, in ms. */
const hubNewsMs = 24 * 3600 * 1000

/** Most prompts of one machine announced per hour, in case a session reports a new one with each heartbeat. */
const maxPrompts = 12

export interface OwnerNoticesOptions {
  hub: Hub
  people: People
  settings: TelegramSettings
  destination: Destination
  submit: Hub['submit']
}

/**
 * Notifies the owners in one chat of messages that their machines leave unread while they have no session, of permission prompts that wait,
 * and of messages from the hub. Notifies of each message once: the last seq is recorded when Telegram has accepted the notice.
 */
export class OwnerNotices {
  readonly #options: OwnerNoticesOptions
  readonly #startedAt = performance.now()
  #lookAt = 0

  constructor(options: OwnerNoticesOptions) {
    this.#options = options
  }

  /** Returns the next notice, if there is one. Looks at most every `timing.lookMs`. */
  next(): OutgoingPost | undefined {
    const { timing } = this.#options.settings
    const now = performance.now()
    if (now < this.#lookAt || now - this.#startedAt < timing.graceMs) return undefined
    const outgoing = this.#look(Date.now())
    if (!outgoing) this.#lookAt = now + timing.lookMs
    return outgoing
  }

  #look(now: number): OutgoingPost | undefined {
    const { hub, people, destination } = this.#options
    for (const machine of ownedMachines(hub.state.db)) {
      const owner = people.byMember(machine.owner)
      if (!owner || destinationOf(people, owner) !== destination) continue
      const outgoing =
        this.#promptNoticeOf(machine, owner, now) ??
        this.#hubNoticeOf(machine, owner, now) ??
        (machine.unread > 0 ? this.#noticeOf(machine, owner, now) : undefined) ??
        (machine.projectUnread > 0 ? this.#projectNoticeOf(machine, owner, now) : undefined)
      if (outgoing) return outgoing
    }
    return undefined
  }

  #noticeOf(machine: OwnedMachine, owner: Person, now: number): OutgoingPost | undefined {
    const { hub, submit } = this.#options
    const upTo = hub.state.position.seq
    // Skips messages that the owner wrote, has in their own inbox, or was notified of for another machine.
    const which = { after: machine.toldSeq, owner: owner.member, limit: maxShown }
    const news = unreadOf(hub.state.db, machine.machine, which)
    const [oldest] = news
    if (!oldest || !this.#isDue(machine, oldest, now)) return undefined
    if (!this.#mayTell(machine, owner, news, now)) return undefined
    return {
      post: { text: this.#text(machine, owner, news, now) },
      accepted: async (chat, message) => {
        const ids = news.map(({ id }) => id)
        await submit({ type: 'telegram.told', of: 'mail', chat, message, machine: machine.machine, ids, upTo })
      },
      refused: async () => {
        await submit({
          type: 'telegram.told',
          of: 'mail',
          chat: 0,
          message: 0,
          machine: machine.machine,
          ids: [],
          upTo,
        })
      },
    }
  }

  /**
   * Notice of messages for a project without a session, while others of its machine have one. The Telegram messages that showed them record
   * what was announced, for `routeLifeMs`; older messages are not announced.
   */
  #projectNoticeOf(machine: OwnedMachine, owner: Person, now: number): OutgoingPost | undefined {
    const { hub, submit } = this.#options
    const { sessions, ofProjects } = hub.presence.sessionCounts(machine.machine)
    if (sessions === 0) return undefined
    const which = { after: machine.toldSeq, owner: owner.member, limit: maxLooked }
    const without = { except: [...ofProjects.keys()], since: now - routeLifeMs }
    const byProject = Map.groupBy(
      unreadOf(hub.state.db, machine.machine, { ...which, ofProjects: without }),
      ({ project }) => project!,
    )
    for (const [project, all] of byProject) {
      const news = all.slice(0, maxShown)
      if (!this.#isProjectDue(machine, project, news[0]!, now) || !this.#mayTell(machine, owner, news, now)) continue
      const ids = news.map(({ id }) => id)
      const record = async (chat: number, message: number) => {
        await submit({ type: 'telegram.told', of: 'mail', chat, message, machine: machine.machine, ids, upTo: 0 })
      }
      return {
        post: { text: this.#text(machine, owner, news, now, project) },
        accepted: record,
        refused: () => record(0, 0),
      }
    }
    return undefined
  }

  #mayTell({ name }: OwnedMachine, owner: Person, news: Waiting[], now: number): boolean {
    if (news.some(({ intent }) => intent === 'urgent')) return true
    return !isQuiet(owner.settings, now) && !isMuted(mutesOf(this.#options.hub.state.db, owner.member, now), name)
  }

  /**
   * Notice of a session that waits at a permission prompt, once per prompt: names the project and the tool. The hub does not know what the
   * tool would do, and a reply approves nothing.
   */
  #promptNoticeOf({ machine, name, tellsPrompts }: OwnedMachine, owner: Person, now: number): OutgoingPost | undefined {
    const { hub, people, destination, settings, submit } = this.#options
    const { db } = hub.state
    if (!tellsPrompts || isQuiet(owner.settings, now)) return undefined
    for (const { project, activity } of hub.presence.sessionsOf(machine)) {
      const { prompt } = activity ?? {}
      if (!prompt || now - prompt.since < settings.timing.promptMs || isPromptTold(db, machine, prompt.id)) continue
      if (isMuted(mutesOf(db, owner.member, now), name) || promptsTold(db, machine, now - 3600_000, now) >= maxPrompts)
        continue
      const to = destination === 'group' ? html`${nameIn(people, destination, owner)}: ` : html``
      const tool = prompt.tool === undefined ? html`` : html` of <code>${visibleLine(prompt.tool, 100)}</code>`
      const record = async () => {
        await submit({ type: 'telegram.prompted', machine, prompt: prompt.id })
      }
      return {
        post: {
          text: html`${to}<b>${formatAddress({ name, project })}</b> waits for you at a permission prompt${tool}, for ${largestUnit(now - prompt.since)} now.\n<i>Answer it there; it cannot be answered from here. No more of these: /follow ${name} prompts off</i>`,
        },
        accepted: record,
        refused: record,
      }
    }
    return undefined
  }

  /** Notice of the hub's own message to a machine (it stopped a loop): sent at once, whether or not that was read. */
  #hubNoticeOf({ machine, name, toldHub }: OwnedMachine, owner: Person, now: number): OutgoingPost | undefined {
    const { hub, people, destination, submit } = this.#options
    if (isQuiet(owner.settings, now)) return undefined
    const news = saidByHub(hub.state.db, machine, toldHub, now - hubNewsMs)
    const last = news.at(-1)
    if (!last) return undefined
    const to = destination === 'group' ? html`${nameIn(people, destination, owner)}: ` : html``
    const max = news.length === 1 ? maxAlone : maxAmong
    const texts = news.map(({ body }) => quotedBeginning(safeText(body).trim(), max))
    const record = async (chat: number, message: number) => {
      await submit({ type: 'telegram.told', of: 'hub', chat, message, machine, ids: [], upTo: last.seq })
    }
    return {
      post: { text: html`${to}the hub wrote to <b>${name}</b>:\n${joined(texts, '\n')}` },
      accepted: record,
      refused: () => record(0, 0),
    }
  }

  #isDue({ machine, afterS: own }: OwnedMachine, { sentAt }: Waiting, now: number): boolean {
    const afterS = own ?? this.#options.settings.followAfterS ?? -1
    if (afterS < 0) return false
    if (afterS === 0) return true
    const { online, lastSeenAt } = this.#options.hub.presence.of(machine)
    return !online && now - Math.max(sentAt, lastSeenAt ?? 0) >= afterS * 1000
  }

  #isProjectDue({ machine, afterS: own }: OwnedMachine, project: string, { sentAt }: Waiting, now: number): boolean {
    const afterS = own ?? this.#options.settings.followAfterS ?? -1
    const lastSeenAt = this.#options.hub.projectSeenAt(machine, project) ?? 0
    return afterS >= 0 && now - Math.max(sentAt, lastSeenAt) >= afterS * 1000
  }

  /** Text of a notice; with `project` of messages for that project alone, whose sessions count instead of the machine's. */
  #text({ name, machine, unread }: OwnedMachine, owner: Person, news: Waiting[], now: number, project?: string): Html {
    const { hub, people, destination } = this.#options
    const { online, lastSeenAt } = hub.presence.of(machine)
    const since =
      project !== undefined
        ? projectSince(hub, machine, { name, project }, now)
        : online
          ? 'it is online'
          : lastSeenAt === null
            ? 'no session yet'
            : `no session since ${ago(lastSeenAt, now)}`
    const max = news.length === 1 ? maxAlone : maxAmong
    const entries = news.map(({ from, fromProject, project, seq, intent, sentAt, body }) => {
      const urgent = intent === 'urgent' ? html` · <b>urgent</b>` : html``
      const text = quotedBeginning(safeText(body).trim(), max)
      const others = unreadElsewhere(hub.state.db, seq, owner.member, machine).map(other => html`, <b>${other}</b>`)
      const sender = formatAddress({ name: from, project: fromProject })
      return html`<b>${sender}</b> → <b>${formatAddress({ name, project })}</b>${joined(others, '')} <code>#${seq}</code> · ${ago(sentAt, now)}${urgent}\n${text}`
    })
    const more = project === undefined && unread > news.length ? html`\n${unread} are unread there in all.` : html``
    const whom = news.length === 1 ? html`answer ${news[0]!.from}` : html`answer one, with its number in front`
    const to = destination === 'group' ? html`${nameIn(people, destination, owner)}: ` : html``
    return html`${to}<b>${formatAddress({ name, project })}</b> has not read this; ${since}.\n${joined(entries, '\n')}${more}\n<i>Reply to ${whom}. Fewer of these: /follow ${name} off</i>`
  }
}

function isMuted(mutes: { name: string | null }[], machine: string): boolean {
  return mutes.some(({ name }) => name === null || name === machine)
}
