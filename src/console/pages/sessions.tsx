import type { PageProps } from '../lazy-page.tsx'
import { PageHead } from '../ui/panel.tsx'
import { Empty } from '../ui/states.tsx'

/** `#/sessions` */
export default function SessionsPage(_: PageProps) {
  return (
    <>
      <PageHead title="Sessions" />
      <Empty icon="sessions" title="Nothing is here yet" />
    </>
  )
}
