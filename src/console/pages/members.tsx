import type { PageProps } from '../lazy-page.tsx'
import { PageHead } from '../ui/panel.tsx'
import { Empty } from '../ui/states.tsx'

/** `#/members` */
export default function MembersPage(_: PageProps) {
  return (
    <>
      <PageHead title="Members" />
      <Empty icon="members" title="Nothing is here yet" />
    </>
  )
}
