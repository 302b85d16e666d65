import { visible, visibleLine } from '../../text/visible.ts'

/**
 * Untrusted text, such as a message's: several lines, white space kept, with hidden and reordering characters (controls, bidi marks) shown
 * as `\u{202e}`, as in the terminal. Always text nodes. Everything that a member, a client or a project wrote is shown by `Text`, `Line` or
 * `Name`, and in attributes by `visibleLine`.
 */
export function Text({ children, class: name }: { children: string; class?: string }) {
  return (
    <span class={`text ${name ?? ''}`} dir="auto">
      {visible(children)}
    </span>
  )
}

/** Like `Text`, in one line of at most `max` characters. */
export function Line({ children, max = 300, class: name }: { children: string; max?: number; class?: string }) {
  return (
    <span class={`line ${name ?? ''}`} dir="auto">
      {visibleLine(children, max)}
    </span>
  )
}
