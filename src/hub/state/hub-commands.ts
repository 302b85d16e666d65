/** What hubs that share one history tell each other by it. */
export type HubCommand =
  /** How hub `name` is reached, what its program knows, and which part of the log it can do without. All of it replaces what was said before. */
  | {
      type: 'hub.announce'
      name: string
      /** Of its program. */
      version: string
      /** The newest rules that its program knows: see `entryVersion`. */
      entryVersion: number
      url?: string
      ssh?: string
      hubKey?: string
      /** The offset of the log from which its oldest kept snapshot goes on; without it, it keeps none. */
      snapshot?: number
    }
  /** A hub that does not come back. If it does, it announces itself again. */
  | { type: 'hub.forget'; name: string }
  /** Where hub `hub` stands once some have come to other outcomes: it `differs` from these. It changes nothing; see `hub/journal/agreement.ts`. */
  | { type: 'hub.vote'; hub: string; differs: readonly string[]; asks?: boolean }
  /** From the next pack on, entries are written by these rules. Refused while a hub that has announced itself does not know them. */
  | { type: 'rules.raise'; to: number }

export interface HubResults {
  'hub.announce': { name: string }
  'hub.forget': { name: string }
  'hub.vote': Record<string, never>
  'rules.raise': { version: number }
}
