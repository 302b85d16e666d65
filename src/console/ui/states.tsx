import type { ComponentChildren } from 'preact'
import { HubError } from '../api.ts'
import { Button } from './button.tsx'
import { Icon, type IconName } from './icon.tsx'
import { Text } from './text.tsx'
import type { Asked } from './use-ask.ts'

/** An empty state: `title` names it, `children` explain how to fill it. */
export function Empty({
  icon = 'check',
  title,
  children,
}: {
  icon?: IconName
  title: string
  children?: ComponentChildren
}) {
  return (
    <div class="state empty">
      <Icon name={icon} size={28} />
      <p class="title">{title}</p>
      {children && <div class="hint">{children}</div>}
    </div>
  )
}

/** A loading state: grey lines in place of `rows` rows, drawn after 150 ms so that a fast response does not flash. */
export function Loading({ rows = 4, what }: { rows?: number; what?: string }) {
  return (
    <div class="state loading" role="status" aria-label={what === undefined ? 'Loading' : `Loading ${what}`}>
      {Array.from({ length: rows }, (_, at) => (
        <span key={at} class="bone" />
      ))}
    </div>
  )
}

/** An error: what happened and what to do next, with a button to retry. */
export function Failed({ error, retry }: { error: unknown; retry?: (() => unknown) | undefined }) {
  const { message, hint, isOffline } =
    error instanceof HubError
      ? error
      : { message: 'Something went wrong on this page.', hint: 'Reload the page.', isOffline: false }
  return (
    <div class="state failed" role="alert">
      <Icon name="warning" size={28} />
      <p class="title">
        <Text>{message}</Text>
      </p>
      <p class="hint">
        <Text>{hint}</Text>
      </p>
      {retry && <Button onClick={() => retry()}>{isOffline ? 'Retry now' : 'Retry'}</Button>}
    </div>
  )
}

/** The result of `useAsk`: Loading, Failed, or `children`. The previous result stays while a new request runs, and if that fails. */
export function Loaded<T>({
  asked,
  rows,
  what,
  children,
}: {
  asked: Asked<T>
  rows?: number
  what?: string
  children: (value: T) => ComponentChildren
}) {
  const value = asked.value.value
  if (value !== undefined) return <>{children(value)}</>
  if (asked.error.value !== undefined) return <Failed error={asked.error.value} retry={asked.reload} />
  return <Loading {...(rows !== undefined && { rows })} {...(what !== undefined && { what })} />
}
