import { diskTrouble } from '../disk/replace-file.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { HubKey } from '../protocol/hub-key.ts'
import type { Config, Home } from './home.ts'
import { type HubWay, hubsOf, withNewKey } from './hubs.ts'

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
 * The pin of the hub at `way` of `home`, by default of the machine's own, read anew for each request. A new key takes its place in
 * config.json, unless another was pinned meanwhile, and that is said on stderr. Where the file cannot be written, this process goes by it,
 * and the next one proves it again. Throws where config.json names no such hub any more.
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
    throw new ClaudeNetError('unavailable', `${way.hub.origin} is no hub of this machine any more.`, 'Try again.')
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
        say(`${what} This machine knows it by the new one now.\n`)
      } catch (error) {
        say(`${what} ${home.configFile} cannot be changed: ${diskTrouble(error as NodeJS.ErrnoException)}.\n`)
      }
    },
  }
}
