/** What the console submits. `member` is 0 for the admin; hashes are SHA-256 in base64, spans in seconds from the entry's time. */
export type ConsoleCommand =
  /** Makes a link that opens one session. `via` is the public id of the token, or the name of the door, that it was asked by. */
  | { type: 'console.link'; member: number; via: string; hash: string; lifeS: number }
  /** Opens a session with a link, in place of the sessions that had the browser's cookie before. */
  | {
      type: 'console.open'
      linkHash: string
      id: string
      cookieHash: string
      tabHash: string
      lifeS: number
      address: string
      browser: string
      /** Public ids of sessions that end with it. */
      replaces: string[]
    }
  /** Ends sessions. Those that have ended are passed over. */
  | { type: 'console.close'; ids: string[] }

export interface ConsoleResults {
  'console.link': { expiresAt: number }
  'console.open': { id: string; member: number; expiresAt: number }
  'console.close': { closed: string[] }
}
