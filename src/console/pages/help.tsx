import type { PageProps } from '../lazy-page.tsx'
import { PageHead } from '../ui/panel.tsx'
import { Empty } from '../ui/states.tsx'

/** `#/help` */
export default function HelpPage(_: PageProps) {
  return (
    <>
      <PageHead title="Help" />
      <Empty icon="help" title="Nothing is here yet" />
    </>
  )
}
