import { href } from '../router.ts'
import { Empty } from '../ui/states.tsx'

/** An address that names no page. */
export function NotFound() {
  return (
    <Empty icon="help" title="There is no such page">
      <a href={href('now')}>Go to what happens now</a>
    </Empty>
  )
}
