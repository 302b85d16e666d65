import type { ComponentChildren } from 'preact'

/**
 * Meaning of a badge: `good` (stored, online), `warn` (waits long), `bad` (refused, expired, urgent), `info` (a question), `quiet` (the
 * rest).
 */
export type Tone = 'good' | 'warn' | 'bad' | 'info' | 'quiet'

/** A small word in a frame. Its words carry the meaning, its colour only repeats it. */
export function Badge({ tone = 'quiet', children }: { tone?: Tone; children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>
}

/** A count, hidden at 0: `<Count of={unread} noun="unread" />`. */
export function Count({ of, noun }: { of: number; noun: string }) {
  if (of === 0) return null
  return (
    <span class="count" title={`${of} ${noun}`}>
      {of > 999 ? '999+' : of}
      <span class="hidden"> {noun}</span>
    </span>
  )
}

/** Presence of a member: a dot, with text for screen readers. */
export function Presence({ online }: { online: boolean }) {
  const words = online ? 'online' : 'offline'
  return (
    <span class={`presence ${words}`} title={words}>
      <span class="hidden">{words}</span>
    </span>
  )
}
