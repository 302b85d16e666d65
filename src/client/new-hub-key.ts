import { diskTrouble } from '../disk/replace-file.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { HubKey } from '../protocol/hub-key.ts'
import type { Config, Home } from './home.ts'
import { type HubWay, hubsOf, withNewKey } from './hubs.ts'

/** The change of a hub's key from the pinned one to one that the pinned key vouches for. */
export interface KeyChange {
  from: HubKey
  to: HubKey
}

/** The key that a hub must prove, and the handler of a new key that the pinned one vouches for. */
export interface MachinePin {
  pin: () => HubKey | undefined
  onNewKey: (change: KeyChange) => void
}

/**
 * Returns the pin of the hub at `way` of `home`, by default the machine's own, read for each request. A new key replaces it in
 * config.json, unless another was pinned meanwhile, and is reported on stderr. If the file cannot be written, this process uses the new
 * key all the same, and the next one proves it again. `pin` throws if config.json no longer has that hub.
 */
export function machinePin(
  home: Home,
  way?: HubWay,
  say = (text: string) => void process.stderr.write(text),
): MachinePin {
  let followed: KeyChange | undefined
  const keyIn = (config: Config) => {
    if (way === undefined) return config.hubKey
    const [own, ...others] = hubsOf(config).ways
    if (own.id === way.id) return config.hubKey
    const other = others.find(({ id }) => id === way.id)
    if (other) return other.hubKey
    throw new ClaudeNetError('unavailable', `${way.hub.origin} is no longer a hub of this machine.`, 'Try again.')
  }
  return {
    pin: () => {
      const hubKey = keyIn(home.credentials().config)
      return followed !== undefined && followed.from === hubKey ? followed.to : hubKey
    },
    onNewKey: change => {
      followed = change
      const config = home.readConfig()
      if (config === undefined || keyIn(config) !== change.from) return
      const what = `claude-net: The hub${way === undefined || config.hubKey === change.from ? '' : ` at ${way.hub.origin}`} has a new key, ${change.to}; its old one, ${change.from}, vouches for it.`
      try {
        home.writeConfig(withNewKey(config, change.from, change.to))
        say(`${what} This machine has pinned the new one.\n`)
      } catch (error) {
        say(`${what} ${home.configFile} cannot be changed: ${diskTrouble(error as NodeJS.ErrnoException)}.\n`)
      }
    },
  }
}
