import { href } from '../router.ts'
import { Empty } from '../ui/states.tsx'

/** An address that names no page. */
export function NotFound() {
  return (
    <Empty icon="help" title="Page not found">
      <a href={href('now')}>Go to Now</a>
    </Empty>
  )
}
