import { Icon } from '../ui/icon.tsx'
import { Name } from '../ui/name.tsx'
import { Line } from '../ui/text.tsx'
import { Time } from '../ui/time.tsx'
import type { MembersNow } from './members-now.ts'

/** Problems that need a human: a damaged store, brakes, tokens used from two hosts. Empty without problems. */
export function Concerns({ of: { damaged, brakes, sharedTokens } }: { of: MembersNow }) {
  if (!damaged && brakes.length === 0 && sharedTokens.length === 0) return null
  return (
    <ul class="concerns">
      {damaged && (
        <li class="bad">
          <Icon name="warning" />
          <span>The hub’s store is damaged: it accepts no messages, and unreadable data is missing here.</span>
        </li>
      )}
      {brakes.map(({ between: [one, other], until, why }) => (
        <li key={`${one} ${other}`}>
          <Icon name="warning" />
          <span>
            Messages between <Name of={one} /> and <Name of={other} /> are stopped until <Time at={until} as="clock" />:{' '}
            <Line>{why}</Line> looked like a loop.
          </span>
        </li>
      ))}
      {sharedTokens.map(({ member, hosts, at }) => (
        <li key={member}>
          <Icon name="warning" />
          <span>
            The token of <Name of={member} /> was used from two hosts at once (<Line>{hosts.join(', ')}</Line>),{' '}
            <Time at={at} />.
          </span>
        </li>
      ))}
    </ul>
  )
}
