import type { AuditLine } from '../../protocol/audit.ts'
import type { Tone } from '../ui/badge.tsx'

/** Choices for how far back the audit is shown. */
export const spansOf = [
  ['', 'All time'],
  ['1h', 'Last hour'],
  ['24h', 'Last day'],
  ['7d', 'Last week'],
  ['30d', 'Last month'],
] as const

const unitMs = { h: 3_600_000, d: 86_400_000 }

/**
 * Returns the beginning of a span of `spansOf` before `now` (ms since 1970), for the query; undefined for all time, and for an unknown
 * span.
 */
export function sinceOf(span: string, now: number): string | undefined {
  const [, number, unit] = /^(\d{1,4})([hd])$/.exec(span) ?? []
  return unit === undefined ? undefined : new Date(now - Number(number) * unitMs[unit as 'h' | 'd']).toISOString()
}

/** Returns the details of a line; for a line that summarizes many, their number. */
export function detailOf({ detail, count }: Pick<AuditLine, 'detail' | 'count'>): string {
  return detail ?? (count > 1 ? `${count} refusals not listed` : '')
}

/** Returns `bad` for refused access, `warn` for a failed request. */
export function toneOf(result: AuditLine['result']): Tone {
  if (result === 'ok') return 'good'
  return result === 'unauthorized' || result === 'forbidden' ? 'bad' : 'warn'
}
