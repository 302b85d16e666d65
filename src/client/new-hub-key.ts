import { diskTrouble } from '../disk/replace-file.ts'
import type { HubKey } from '../protocol/hub-key.ts'
import type { Home } from './home.ts'

/** A key that a hub has proven by its earlier one, which this machine had pinned. */
export interface KeyChange {
  from: HubKey
  to: HubKey
}

/** The key that a machine's hub must prove, and what happens when it has another that the pinned one vouches for. */
export interface MachinePin {
  pin: () => HubKey | undefined
  onNewKey: (change: KeyChange) => void
}

/**
 * The pin of `home`, read anew for each request. A new key takes its place in config.json, unless another was pinned meanwhile, and that
 * is said on stderr. Where the file cannot be written, this process goes by it, and the next one proves it again.
 */
export function machinePin(home: Home, say = (text: string) => void process.stderr.write(text)): MachinePin {
  let followed: KeyChange | undefined
  return {
    pin: () => {
      const { hubKey } = home.credentials().config
      return followed !== undefined && followed.from === hubKey ? followed.to : hubKey
    },
    onNewKey: change => {
      followed = change
      if (home.readConfig()?.hubKey !== change.from) return
      const what = `claude-net: The hub has a new key, ${change.to}; its old one, ${change.from}, vouches for it.`
      try {
        home.writeConfig({ hubKey: change.to })
        say(`${what} This machine knows it by the new one now.\n`)
      } catch (error) {
        say(`${what} ${home.configFile} cannot be changed: ${diskTrouble(error as NodeJS.ErrnoException)}.\n`)
      }
    },
  }
}
