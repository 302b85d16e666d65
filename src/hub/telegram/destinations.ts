import { type Html, html } from './html.ts'
import type { People, Person } from './people.ts'

/** A chat that mail goes to: the group, or the private one of the person with this member id. */
export type Destination = 'group' | number

/** Where a person hears of their mail. */
export function destinationOf(people: People, person: Person): Destination {
  return people.isPrivate(person) ? person.member : 'group'
}

/** The id of a destination's chat now: a private chat has the id of its user. Undefined while that is not known. */
export function chatOf(people: People, destination: Destination): number | undefined {
  if (destination === 'group') return people.group
  const person = people.byMember(destination)
  return person && people.userOf(person)
}

/** How a person is called in a destination: by a mention where others read along. */
export function nameIn(people: People, destination: Destination, person: Person): Html {
  if (destination !== 'group') return html`you`
  const user = people.userOf(person)
  if (user !== undefined) return html`<a href="tg://user?id=${user}">${person.name}</a>`
  const { username } = person.settings
  return username === undefined ? html`${person.name}` : html`${person.name} (@${username})`
}
