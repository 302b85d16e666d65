import type { Rules, Violation } from './check.ts'
import type { Act, Acts, Line, ReceiptSeen, Results } from './history.ts'

/** State of one message at one recipient. */
interface Known {
  ackBegun: boolean
  /** Seq that the hub had reached when it acknowledged the first ack, 0 if not reported; undefined before that. */
  ackAnswered?: number
  /** Sessions that began to mark it as fetched. */
  sessions: Set<string>
  fetchAnswered?: number
}

/** A request for receipts, with the minimum status of each recipient that was certain when it started. */
interface Asking {
  act: Acts['receipts']
  certain: Map<string, 'fetched' | 'acked'>
}

/**
 * Checks that a receipt reports only what happened, and everything acknowledged before it was requested; with `mayLag`, up to the required
 * seq. A hub that has not reached a message yet has no receipts of it.
 */
export class ReceiptRules implements Rules {
  readonly violations: Violation[] = []
  readonly #mayLag: boolean
  readonly #sent = new Map<string, Acts['send']>()
  /** Seq of each acknowledged send, by its id. */
  readonly #seqs = new Map<string, number>()
  readonly #known = new Map<string, Known>()
  readonly #asking = new Map<number, Asking>()

  constructor(mayLag: boolean) {
    this.#mayLag = mayLag
  }

  take(line: Line, act: Act): void {
    if (line.type === 'invoke') this.#begins(line.op, act)
    else if (line.type === 'ok') this.#answered(line.op, act, line.result)
    else if (line.type === 'event' && line.told.kind === 'receipt') this.#isDone(line.told.id, line.told, 'a stream')
  }

  #begins(op: number, act: Act): void {
    if (act.kind === 'send') {
      this.#sent.set(act.id, act)
      if (act.replyTo !== undefined) this.#at(act.replyTo, act.from).ackBegun = true
    } else if (act.kind === 'ack') for (const id of act.ids) this.#at(id, act.inbox).ackBegun = true
    else if (act.kind === 'fetched') for (const id of act.ids) this.#at(id, act.inbox).sessions.add(act.session)
    else if (act.kind === 'receipts') this.#asking.set(op, { act, certain: this.#certain(act) })
  }

  #certain({ id, atLeast = 0 }: Acts['receipts']): Asking['certain'] {
    const upTo = this.#mayLag ? atLeast : Number.POSITIVE_INFINITY
    const certain: Asking['certain'] = new Map()
    for (const recipient of this.#sent.get(id)?.to ?? []) {
      const { ackAnswered, fetchAnswered } = this.#at(id, recipient)
      if (ackAnswered !== undefined && ackAnswered <= upTo) certain.set(recipient, 'acked')
      else if (fetchAnswered !== undefined && fetchAnswered <= upTo) certain.set(recipient, 'fetched')
    }
    return certain
  }

  #answered(op: number, act: Act, result: Results[keyof Results]): void {
    if (act.kind === 'send') this.#seqs.set(act.id, (result as Results['send']).seq)
    else if (act.kind === 'ack') {
      const { acked, at = 0 } = result as Results['ack']
      for (const id of acked) this.#at(id, act.inbox).ackAnswered ??= at
    } else if (act.kind === 'fetched') {
      const { fetched, at = 0 } = result as Results['fetched']
      for (const id of fetched) this.#at(id, act.inbox).fetchAnswered ??= at
    } else if (act.kind === 'receipts') this.#receipts(this.#asking.get(op)!, result as Results['receipts'])
  }

  #receipts({ act: { id }, certain }: Asking, { receipts, at }: Results['receipts']): void {
    if (receipts.length === 0 && this.#isAhead(id, at)) return
    const sent = this.#sent.get(id)
    const where = `the receipts of ${id}`
    for (const receipt of receipts) {
      const { recipient, status } = receipt
      this.#isDone(id, receipt, where)
      const least = certain.get(recipient)
      const isBehind = least === 'acked' ? status !== 'acked' : least === 'fetched' && status === 'stored'
      if (isBehind && !sent?.mayExpire)
        this.#report(`${recipient} has ${least} ${id}, as was acknowledged before; ${where} report ${status}`)
    }
    for (const recipient of sent?.to ?? [])
      if (receipts.every(receipt => receipt.recipient !== recipient))
        this.#report(`${where} leave out ${recipient}, to whom it was sent`)
  }

  /** Reports whether a hub that has reached `at` may not have applied a message yet. */
  #isAhead(id: string, at: number | undefined): boolean {
    if (!this.#mayLag || at === undefined) return false
    return at < (this.#seqs.get(id) ?? Number.POSITIVE_INFINITY)
  }

  /** Checks that the reported action has been done, or at least started. */
  #isDone(id: string, { recipient, status, session }: ReceiptSeen, where: string): void {
    const sent = this.#sent.get(id)
    if (!sent?.to.includes(recipient)) {
      this.#report(`${where} name ${recipient}, to whom ${id} was not sent`)
      return
    }
    const { ackBegun, sessions } = this.#at(id, recipient)
    if (status === 'acked' && !ackBegun) this.#report(`${where} report that ${recipient} acked ${id}, which nobody did`)
    if (status === 'fetched' && (session === undefined ? sessions.size === 0 : !sessions.has(session)))
      this.#report(`${where} report that ${session ?? recipient} fetched ${id}, which it did not`)
    if (status === 'expired' && !sent.mayExpire)
      this.#report(`${where} report that ${id} has expired, which has no expiry`)
  }

  #at(id: string, recipient: string): Known {
    const key = `${id} ${recipient}`
    let known = this.#known.get(key)
    if (!known) {
      known = { ackBegun: false, sessions: new Set() }
      this.#known.set(key, known)
    }
    return known
  }

  #report(text: string): void {
    this.violations.push({ kind: 'receipt', text })
  }
}
