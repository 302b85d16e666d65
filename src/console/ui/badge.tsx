import type { ComponentChildren } from 'preact'

/** What a badge means: `good` (stored, online), `warn` (waits long), `bad` (refused, expired, urgent), `info` (a question), `quiet` (the rest). */
export type Tone = 'good' | 'warn' | 'bad' | 'info' | 'quiet'

/** A small word in a frame. Its words carry the meaning, its colour only repeats it. */
export function Badge({ tone = 'quiet', children }: { tone?: Tone; children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>
}

/** How many, where it is not none: `<Count of={unread} noun="unread" />`. */
export function Count({ of, noun }: { of: number; noun: string }) {
  if (of === 0) return null
  return (
    <span class="count" title={`${of} ${noun}`}>
      {of > 999 ? '999+' : of}
      <span class="hidden"> {noun}</span>
    </span>
  )
}

/** Whether a member is there: a dot, and words for who does not see it. */
export function Presence({ online }: { online: boolean }) {
  const words = online ? 'online' : 'offline'
  return (
    <span class={`presence ${words}`} title={words}>
      <span class="hidden">{words}</span>
    </span>
  )
}
