import { call } from '../api.ts'
import type { PageProps } from '../lazy-page.tsx'
import { AdminsOnly } from '../people/admins-only.tsx'
import { IncomingPanel } from '../people/incoming.tsx'
import { OutgoingPanel } from '../people/outgoing.tsx'
import '../people/people.css'
import { who } from '../session.ts'
import { PageHead } from '../ui/panel.tsx'
import { useAsk } from '../ui/use-ask.ts'

/** `#/webhooks` */
export default function WebhooksPage(_: PageProps) {
  if (who.value!.role !== 'admin')
    return (
      <>
        <PageHead title="Webhooks" />
        <AdminsOnly what="webhooks" />
      </>
    )
  return <Webhooks />
}

function Webhooks() {
  const names = useAsk(async signal => {
    const { members, groups = [] } = await call('listMachines', { signal })
    const takers = members.filter(({ kind }) => (kind as string) !== 'service')
    return [...takers.map(({ name }) => name), ...groups.map(({ name }) => name), 'all']
  }, [])
  return (
    <>
      <PageHead title="Webhooks">
        Send events of other services to members, and post events of the hub to Slack, e-mail or a pager.
      </PageHead>
      <IncomingPanel known={names.value.value ?? []} />
      <OutgoingPanel />
    </>
  )
}
