/**
 * Commands about links into the console and its sessions. `member` is 0 for the admin; hashes are SHA-256 in base64, spans in seconds from
 * the entry's time.
 */
export type ConsoleCommand =
  /** Makes a link that opens one session. `via` is the public id of the token, or the name of the door, that requested it. */
  | { type: 'console.link'; member: number; via: string; hash: string; lifeS: number }
  /** Opens a session with a link; it replaces earlier sessions of the same browser. */
  | {
      type: 'console.open'
      linkHash: string
      id: string
      cookieHash: string
      tabHash: string
      lifeS: number
      address: string
      browser: string
      /** Public ids of the sessions that it ends. */
      replaces: string[]
    }
  /** Ends sessions. Ignores those that have ended. */
  | { type: 'console.close'; ids: string[] }

export interface ConsoleResults {
  'console.link': { expiresAt: number }
  'console.open': { id: string; member: number; expiresAt: number }
  'console.close': { closed: string[] }
}
