import { visibleLine } from '../../text/visible.ts'
import { href } from '../router.ts'

/**
 * A member's name, linked to its page: `<Name of="seanclaude" project="billing" />`. `plain` omits the link, such as inside another one.
 */
export function Name({ of, project, plain = false }: { of: string; project?: string | undefined; plain?: boolean }) {
  const words = (
    <>
      <bdi>{visibleLine(of, 64)}</bdi>
      {project !== undefined && <span class="project">/{visibleLine(project, 64)}</span>}
    </>
  )
  if (plain) return <span class="name">{words}</span>
  return (
    <a class="name" href={href('members', [of])}>
      {words}
    </a>
  )
}
