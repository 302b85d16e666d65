import { presenceInWords } from './presence.ts'
import { ago, moment } from './spans.ts'
import { visibleLine } from './visible.ts'

/** A receipt: see `Receipt` in protocol/messages.ts. */
type Receipt = Parameters<typeof presenceInWords>[0] & {
  name: string
  status: 'stored' | 'fetched' | 'acked' | 'expired' | 'refused'
  reason?: string
  fetchedAt?: string
  ackedAt?: string
  answeredAt?: string
  answerId?: string
  expiredAt?: string
  heldSince?: string
  toldAt?: string
  toldHow?: string
  shownTo?: { session: string; project?: string }
}

/**
 * Returns the furthest step of one delivery and its time: `held for its user since 14:02`, `stored, notified at 14:03 by a hook, says the
 * client; online`, `shown to session 4f2a in billing 3 min ago, reported by the client`. `now` is in ms since 1970.
 */
export function receiptInWords(receipt: Receipt, wantsAnswer: boolean, now: number): string {
  const { status, reason, fetchedAt, ackedAt, answeredAt, expiredAt, heldSince } = receipt
  const when = (at: string | undefined) => (at ? ago(Date.parse(at), now) : '')
  switch (status) {
    case 'acked':
      return `acked ${when(ackedAt)}${answeredAt ? `, answered ${when(answeredAt)}` : wantsAnswer ? ', not answered yet' : ''}`
    case 'fetched':
      return `${shownInWords(receipt)} ${when(fetchedAt)}, reported by the client`
    case 'expired':
      return `expired ${when(expiredAt)}, ${fetchedAt ? `${shownInWords(receipt)} but not acked` : 'never shown'}`
    case 'refused':
      return `refused, ${visibleLine(reason ?? '', 200)}`
    case 'stored':
      if (heldSince) return `held for its user since ${moment(Date.parse(heldSince), now)}`
      return `stored, ${toldInWords(receipt, now)}; ${presenceInWords(receipt, now)}`
  }
}

function shownInWords({ shownTo }: Receipt): string {
  if (!shownTo) return 'shown'
  return `shown to session ${shownTo.session}${shownTo.project ? ` in ${shownTo.project}` : ''}`
}

function toldInWords({ toldAt, toldHow }: Receipt, now: number): string {
  if (!toldAt) return 'not notified yet'
  const at = moment(Date.parse(toldAt), now)
  return `${toldHow === 'hook' ? `notified at ${at} by a hook` : `woken for it at ${at}${wayOf(toldHow)}`}, reported by the client`
}

function wayOf(how: string | undefined): string {
  if (how === 'waiter') return ' by the hook that waits'
  return how === 'channel' ? ' by a channel' : ''
}

/** One step of a delivery: its time in ms since 1970, the recipient, and its kind, also as text. */
export interface Step {
  at: number
  who: string
  kind: 'stored' | 'held' | 'refused' | 'told' | 'woken' | 'shown' | 'acked' | 'answered' | 'expired'
  what: string
}

/** Returns all known steps of one delivery, in order. The message was stored at `sentAt`, in ms since 1970. */
export function stepsOf(receipt: Receipt, sentAt: number): Step[] {
  const { name, status, reason, fetchedAt, ackedAt, answeredAt, answerId, expiredAt, heldSince, toldAt, toldHow } =
    receipt
  const step = (at: number, kind: Step['kind'], what: string = kind): Step => ({ at, who: name, kind, what })
  if (status === 'refused') return [step(sentAt, 'refused', `refused, ${visibleLine(reason ?? '', 200)}`)]
  const told: [Step['kind'], string] =
    toldHow === 'hook'
      ? ['told', 'a session was notified by a hook']
      : ['woken', `a session was woken for it${wayOf(toldHow)}`]
  const steps: [string | undefined, Step['kind'], string?][] = [
    [toldAt, told[0], `${told[1]}, reported by the client`],
    [fetchedAt, 'shown', `${shownInWords(receipt)}, reported by the client`],
    [ackedAt, 'acked'],
    [answeredAt, 'answered', `answered${answerId ? ` with message ${answerId}` : ''}`],
    [expiredAt, 'expired'],
  ]
  const taken = steps.flatMap(([at, kind, what]) => (at ? [step(Date.parse(at), kind, what)] : []))
  return [heldSince ? step(sentAt, 'held', 'held for its user') : step(sentAt, 'stored'), ...taken]
}
