import { everyone } from '../../../protocol/names.ts'
import { type Address, addressOf } from '../../../protocol/projects.ts'
import { type Refused, refuse } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { groupExists, type MemberRow, resolveNames } from './find-member.ts'
import { knownMember } from './known-members.ts'
import { isProject } from './projects.ts'

/** The recipients of a message. */
export interface Addressees {
  /** Each member once, in the order named. */
  members: MemberRow[]
  /** Names that mean nobody. */
  unknown: string[]
  /** Whether the names include a group or `all`. */
  isCrowd: boolean
  /** Projects that it is for, by member id, of recipients that were addressed with one. */
  projects: ReadonlyMap<number, string>
}

/** From this version of entries on, an address may have a project. */
const projectVersion = 3

const none: ReadonlyMap<number, string> = new Map()

/**
 * Resolves the addresses that `sender` typed to members and projects; returns a refusal when an address with a project means none. A single
 * name without a project, the most common case, is resolved without a query. In entries older than projects an address with a slash is a
 * name that means nobody.
 */
export function addresseesOf(db: Database, sender: number, typed: string[], v: number): Addressees | Refused {
  const [first] = typed
  if (v < projectVersion || !typed.some(each => each.includes('/'))) {
    const only = typed.length === 1 ? knownMember(db, first!) : undefined
    if (only) return { members: [only], unknown: [], isCrowd: false, projects: none }
    return { ...resolveNames(db, sender, typed), projects: none }
  }
  return resolveAddresses(db, sender, typed)
}

function resolveAddresses(db: Database, sender: number, typed: string[]): Addressees | Refused {
  const addresses = [...new Map(typed.map(each => [each, { typed: each, ...addressOf(each) }])).values()]
  const places = new Map<number, string | undefined>()
  const members: MemberRow[] = []
  for (const { name, project, ...address } of addresses) {
    const member = knownMember(db, name)
    if (!member) {
      const isCrowd = name === everyone || groupExists(db, name)
      if (project === undefined || !isCrowd) continue
      const kind = name === everyone ? 'all' : 'group'
      return refuse('invalid', { code: 'takes_no_project', name, kind, address: address.typed })
    }
    const refused = project === undefined ? undefined : whyNotFor(db, member, project, address.typed)
    if (refused) return refused
    if (places.has(member.id) && places.get(member.id) !== project)
      return refuse('invalid', { code: 'one_place', name: member.name })
    if (!places.has(member.id)) members.push(member)
    places.set(member.id, project)
  }
  const projects = new Map([...places].filter((place): place is [number, string] => place[1] !== undefined))
  if (addresses.length === 1 && members.length === 1) return { members, unknown: [], isCrowd: false, projects }
  const names = addresses.map(({ name }) => name)
  return { ...resolveNames(db, sender, names), projects }
}

function whyNotFor(
  db: Database,
  { id, name, kind }: MemberRow,
  project: NonNullable<Address['project']>,
  address: string,
): Refused | undefined {
  if (kind === 'human') return refuse('invalid', { code: 'takes_no_project', name, kind, address })
  if (isProject(db, id, project)) return undefined
  return refuse('not_found', { code: 'no_project', name, project, address })
}
