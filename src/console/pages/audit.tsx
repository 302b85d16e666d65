import type { PageProps } from '../lazy-page.tsx'
import { PageHead } from '../ui/panel.tsx'
import { Empty } from '../ui/states.tsx'

/** `#/audit` */
export default function AuditPage(_: PageProps) {
  return (
    <>
      <PageHead title="Audit" />
      <Empty icon="audit" title="Nothing is here yet" />
    </>
  )
}
