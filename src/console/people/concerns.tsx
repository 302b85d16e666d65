import type { ComponentChildren } from 'preact'
import type { Concerns } from '../../protocol/members.ts'
import { damagedHub } from '../../text/concerns.ts'
import { call } from '../api.ts'
import { Button } from '../ui/button.tsx'
import { Name } from '../ui/name.tsx'
import { Line } from '../ui/text.tsx'
import { Time } from '../ui/time.tsx'
import { toast } from '../ui/toast.tsx'

/** Brakes and shared tokens, with ways to resolve them. Draws nothing if there are none. */
export function ConcernItems({
  concerns: { brakes, sharedTokens, damaged },
  reload,
}: {
  concerns: Concerns
  reload: () => void
}) {
  const lift = async (one: string, other: string) => {
    const { lifted } = await call('liftBrake', { params: { name: one }, body: { member: other } })
    toast(`Messages between ${one} and ${other} ${lifted ? 'are allowed again' : 'were not stopped'}.`)
    reload()
  }
  return (
    <>
      {damaged && <Item tone="bad" found={`${damagedHub.found}.`} mend={damagedHub.mend} />}
      {brakes.map(({ between: [one, other], until, why }) => (
        <Item
          key={`${one} ${other}`}
          tone="warn"
          found={
            <>
              Messages between <Name of={one} /> and <Name of={other} /> are stopped until{' '}
              <Time at={until} as="clock" />: <Line max={200}>{why}</Line> looked like a loop.
            </>
          }
          mend="Check what the two are doing before you allow messages again."
          action={<Button onClick={() => lift(one, other)}>Allow again</Button>}
        />
      ))}
      {sharedTokens.map(({ member, hosts, at }) => (
        <Item
          key={member}
          tone="bad"
          found={
            <>
              The token of <Name of={member} /> is used from two hosts at once (
              <Line max={200}>{hosts.join(' and ')}</Line>), last <Time at={at} />.
            </>
          }
          mend="If a machine was cloned, give the copy a name of its own. If not, revoke the token."
        />
      ))}
    </>
  )
}

/** One problem. */
export function Item({
  tone,
  found,
  mend,
  action,
}: {
  tone: 'bad' | 'warn'
  found: ComponentChildren
  mend: string
  action?: ComponentChildren
}) {
  return (
    <li class={`worry ${tone}`}>
      <div class="grow">
        <p>{found}</p>
        <p class="hint">{mend}</p>
      </div>
      {action}
    </li>
  )
}
