import type { PageProps } from '../lazy-page.tsx'
import { PageHead } from '../ui/panel.tsx'
import { Empty } from '../ui/states.tsx'

/** `#/conversations` */
export default function ConversationsPage(_: PageProps) {
  return (
    <>
      <PageHead title="Conversations" />
      <Empty icon="conversations" title="Nothing is here yet" />
    </>
  )
}
