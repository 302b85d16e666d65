import type { PageProps } from '../lazy-page.tsx'
import { PageHead } from '../ui/panel.tsx'
import { Empty } from '../ui/states.tsx'

/** `#/health` */
export default function HealthPage(_: PageProps) {
  return (
    <>
      <PageHead title="Health" />
      <Empty icon="health" title="Nothing is here yet" />
    </>
  )
}
