import type { PageProps } from '../lazy-page.tsx'
import { PageHead } from '../ui/panel.tsx'
import { Empty } from '../ui/states.tsx'

/** `#/now` */
export default function NowPage(_: PageProps) {
  return (
    <>
      <PageHead title="Now" />
      <Empty icon="now" title="Nothing is here yet" />
    </>
  )
}
