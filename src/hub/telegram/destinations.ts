import { type Html, html } from './html.ts'
import type { People, Person } from './people.ts'

/** A chat that messages are sent to: the group, or the private chat of the person with this member id. */
export type Destination = 'group' | number

/** Returns the chat that a person's messages are sent to. */
export function destinationOf(people: People, person: Person): Destination {
  return people.isPrivate(person) ? person.member : 'group'
}

/** Returns the current chat id of a destination; a private chat has the id of its user. Undefined while it is not known. */
export function chatOf(people: People, destination: Destination): number | undefined {
  if (destination === 'group') return people.group
  const person = people.byMember(destination)
  return person && people.userOf(person)
}

/** Returns the form in which a chat names a person: a mention in the group, "you" in private. */
export function nameIn(people: People, destination: Destination, person: Person): Html {
  if (destination !== 'group') return html`you`
  const user = people.userOf(person)
  if (user !== undefined) return html`<a href="tg://user?id=${user}">${person.name}</a>`
  const { username } = person.settings
  return username === undefined ? html`${person.name}` : html`${person.name} (@${username})`
}
