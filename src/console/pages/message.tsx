import type { PageProps } from '../lazy-page.tsx'
import { PageHead } from '../ui/panel.tsx'
import { Empty } from '../ui/states.tsx'

/** `#/messages` */
export default function MessagePage(_: PageProps) {
  return (
    <>
      <PageHead title="Message" />
      <Empty icon="conversations" title="Nothing is here yet" />
    </>
  )
}
