/** A hub of a history, as an admin is shown it. */
interface SeenHub {
  name: string
  self: boolean
  version?: string
  entryVersion?: number
  isLive?: boolean
  offset?: number | null
  lag?: number | null
  outcomes?: string | null
  duty?: boolean
  apart?: string | null
}

/** Returns the problems that require an admin, a sentence or two each. `rules` are those in force. */
export function hubTroubles({ hubs, rules }: { hubs: readonly SeenHub[]; rules?: number | null }): string[] {
  const apart = hubs.filter(hub => hub.apart != null).map(({ name, apart }) => `${name}: ${apart}`)
  const away = hubs
    .filter(hub => hub.isLive === false)
    .map(({ name }) => `${name} is offline. If it will not return: claude-net hubs forget ${name}`)
  const newest = Math.max(...hubs.map(({ entryVersion = 0 }) => entryVersion))
  const old = hubs.filter(({ entryVersion = 0 }) => entryVersion < newest).map(({ name }) => name)
  const waits =
    rules != null && rules < newest && old.length > 0
      ? [
          `What is new in rules ${newest} cannot be used before ${old.join(', ')} ${old.length > 1 ? 'are' : 'is'} upgraded.`,
        ]
      : []
  return [...apart, ...differing(hubs), ...away, ...waits]
}

/** Returns the state of a hub in a few words: `here, acts for all`. */
export function hubStateInWords({ self, isLive = true, duty, apart }: SeenHub): string {
  return [
    ...(self ? ['here'] : [isLive ? 'running' : 'OFFLINE']),
    ...(apart == null ? [] : ['REFUSES COMMANDS']),
    ...(duty ? ['acts for all'] : []),
  ].join(', ')
}

/** Returns the hubs at one offset that have come to different outcomes. */
function differing(hubs: readonly SeenHub[]): string[] {
  const live = hubs.filter(({ isLive, offset, outcomes }) => isLive && offset != null && outcomes != null)
  return live.flatMap((one, index) =>
    live
      .slice(index + 1)
      .filter(other => other.offset === one.offset && other.outcomes !== one.outcomes)
      .map(other => `${one.name} and ${other.name} have come to different outcomes at record ${one.offset}.`),
  )
}
