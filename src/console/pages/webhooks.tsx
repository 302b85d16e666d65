import type { PageProps } from '../lazy-page.tsx'
import { PageHead } from '../ui/panel.tsx'
import { Empty } from '../ui/states.tsx'

/** `#/webhooks` */
export default function WebhooksPage(_: PageProps) {
  return (
    <>
      <PageHead title="Webhooks" />
      <Empty icon="webhooks" title="Nothing is here yet" />
    </>
  )
}
