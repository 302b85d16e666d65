import type { PageProps } from '../lazy-page.tsx'
import { PageHead } from '../ui/panel.tsx'
import { Empty } from '../ui/states.tsx'

/** `#/search` */
export default function SearchPage(_: PageProps) {
  return (
    <>
      <PageHead title="Search" />
      <Empty icon="search" title="Nothing is here yet" />
    </>
  )
}
