/** Commands by which hubs that share one history inform each other. */
export type HubCommand =
  /**
   * Announces the addresses of hub `name`, the version of its program, and the part of the log that it no longer needs. Replaces its
   * earlier announcement.
   */
  | {
      type: 'hub.announce'
      name: string
      /** Version of its program. */
      version: string
      /** Newest version of the rules that its program supports: see `entryVersion`. */
      entryVersion: number
      url?: string
      ssh?: string
      hubKey?: string
      /** Log offset of the oldest snapshot that it keeps; left out when it has none. */
      snapshot?: number
    }
  /** Removes a hub that will not return. If it does return, it announces itself again. */
  | { type: 'hub.forget'; name: string }
  /**
   * The vote of `hub` once some hubs have come to other outcomes: it `differs` from these. It changes nothing in the tables; see
   * `hub/journal/agreement.ts`.
   */
  | { type: 'hub.vote'; hub: string; differs: readonly string[]; asks?: boolean }
  /** From the next pack on, entries are written by these rules. Refused while a hub that has announced itself does not support them. */
  | { type: 'rules.raise'; to: number }

export interface HubResults {
  'hub.announce': { name: string }
  'hub.forget': { name: string }
  'hub.vote': Record<string, never>
  'rules.raise': { version: number }
}
