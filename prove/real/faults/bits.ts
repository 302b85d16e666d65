import { closeSync, cpSync, existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { HubClient } from '../../../src/client/hub-client.ts'
import { DirectTransport } from '../../../src/client/transport/direct.ts'
import { mostUnsynced } from '../../../src/hub/state/store/log-check.ts'
import { api } from '../../../src/protocol/api.ts'
import { ClaudeNetError } from '../../../src/protocol/errors.ts'
import { check } from '../../checker/check.ts'
import type { Acts, Line } from '../../checker/history.ts'
import { pick, type Random } from '../../sim/random.ts'
import type { OneHub } from '../cluster.ts'
import type { Broken, Fault } from '../fault.ts'
import { NotStarted } from '../hub-process.ts'
import { Load } from '../load.ts'
import { ended, oneHub } from '../storm.ts'

/** Maximum number of damaged copies of one store. */
const copies = 8

export const bitFlips: Fault = {
  name: 'bit-flips',
  title:
    'bits turn over in pages of the store or in its log: the hub refuses, or says what is damaged, or shows all as it was',
  needs: [],
  async run(round) {
    const cluster = await oneHub(round)
    const { hub } = cluster
    const load = new Load({ cluster, seed: round.seed })
    round.defer(() => load.close())
    round.defer(() => load.history.save(join(round.dir, 'history.jsonl')))
    await load.start()
    await load.answered(60)
    await load.rest()
    // SIGKILL leaves all commits in the write-ahead log; a normal stop moves them to the database.
    if (round.random() < 0.5) await hub.kill()
    else await hub.stop()
    const good = join(round.dir, 'good')
    cpSync(hub.dataDir, good, { recursive: true })
    const violations: Broken[] = []
    const began = performance.now()
    for (let copy = 0; copy < copies && (copy === 0 || performance.now() - began < round.harmMs * 2); copy++) {
      const flips = flip(hub.dataDir, round.random)
      round.strike()
      const started = await hub.start().then(
        () => true,
        error => {
          if (!(error instanceof NotStarted)) throw error
          return false
        },
      )
      const all = started ? await judge(cluster, load) : []
      const found = flips.looksTorn ? all.filter(each => !looksLikePowerLoss(each)) : all
      if (found.length < all.length)
        round.say(`bit-flips: known, the last commits are gone and nobody was told (${flips.text})`)
      await hub.kill()
      violations.push(...found.map(({ kind, text }) => ({ kind, text: `${text} (after ${flips.text})` })))
      rmSync(hub.dataDir, { recursive: true })
      cpSync(good, hub.dataDir, { recursive: true })
    }
    const result = await ended(round, load, cluster)
    return { ...result, violations: [...violations, ...result.violations], worstMs: undefined }
  },
}

/**
 * A bit flipped in the last commits of the write-ahead log, between a kill and the next start, looks to the hub like a loss of power: the
 * store is a few commits older, and the hub does not report it. This is a known limitation (docs/proof.md). The older content must still be
 * correct.
 */
function looksLikePowerLoss({ kind }: Broken): boolean {
  return kind === 'lost' || kind === 'receipt'
}

interface Flips {
  /** Description of the flipped places. */
  text: string
  /** Whether they are in the log, with too few commits after and between them to distinguish them from a loss of power. */
  looksTorn: boolean
}

/** Flips a few bits of the store or its log. */
function flip(dataDir: string, random: Random): Flips {
  const names = ['hub.db', 'hub.db-wal'].filter(
    name => existsSync(join(dataDir, name)) && size(join(dataDir, name)) > 0,
  )
  const name = pick(random, names)
  const file = join(dataDir, name)
  const bytes = readFileSync(file)
  const places = Array.from({ length: 1 + Math.floor(random() * 4) }, () => Math.floor(random() * bytes.length))
  const handle = openSync(file, 'r+')
  for (const at of places) writeSync(handle, Buffer.from([bytes[at]! ^ (1 << Math.floor(random() * 8))]), 0, 1, at)
  closeSync(handle)
  return {
    text: `flips in ${name} at ${places.join(', ')}`,
    looksTorn: name === 'hub.db-wal' && longestRow(bytes, places) <= mostUnsynced,
  }
}

/**
 * Returns the maximum number of consecutive commits after the first of `places` without another of `places` in between. The frame after a
 * flip is not counted: if the checksum of a frame is damaged, that of the next cannot be verified.
 */
function longestRow(log: Buffer, places: readonly number[]): number {
  const headerBytes = 32
  const frameBytes = 24 + log.readUInt32BE(8)
  const frameOf = (at: number) => Math.floor((at - headerBytes) / frameBytes)
  const damaged = new Set(places.map(frameOf))
  let [row, longest] = [0, 0]
  for (let frame = Math.max(0, Math.min(...damaged)); ; frame++) {
    const at = headerBytes + frame * frameBytes
    const isCurrent = at + frameBytes <= log.length && log.subarray(at + 8, at + 16).equals(log.subarray(16, 24))
    if (!isCurrent) return longest
    if (damaged.has(frame) || damaged.has(frame - 1)) row = 0
    else if (log.readUInt32BE(at + 4) !== 0) longest = Math.max(longest, ++row)
  }
}

function size(file: string): number {
  return readFileSync(file).length
}

/**
 * Reads all inboxes and receipts of a hub that runs on a damaged store. Returns what is wrong without an error: a changed text, a missing
 * message, a receipt without a cause.
 */
async function judge({ hub }: OneHub, load: Load): Promise<Broken[]> {
  const found: Broken[] = []
  const { owed, sent } = expectedContent(load.history.lines)
  const lines = [...load.history.lines]
  let op = 1_000_000
  for (const { name, token } of load.credentials) {
    const client = new HubClient({ transport: new DirectTransport(hub.url), token, timeoutMs: 10_000 })
    try {
      const shown = new Set<string>()
      for (let after: string | undefined; ; ) {
        const page = await client.call(api.readInbox, { query: { after } })
        for (const { id, from, body, damaged } of page.messages) {
          shown.add(id)
          const act = sent.get(id)
          if (damaged) continue
          if (!act) found.push({ kind: 'phantom', text: `${id} is shown to ${name}; nobody sent it` })
          else if (body !== act.body) found.push({ kind: 'changed', text: `the text of ${id} is not as it was sent` })
          else if (from !== act.from)
            found.push({ kind: 'forged', text: `${id} is of ${from}, and was sent by ${act.from}` })
        }
        if (page.more === 0) break
        after = page.cursor
      }
      for (const id of owed.get(name) ?? [])
        if (!shown.has(id))
          found.push({ kind: 'lost', text: `${id} is owed to ${name}, and a damaged store does not show it` })
      const own = [...sent.values()].filter(({ from }) => from === name).slice(-10)
      for (const { id } of own) {
        const { receipts, message } = await client.call(api.getMessage, { params: { id } })
        if (message.damaged) continue
        lines.push({ op: ++op, type: 'invoke', act: { kind: 'receipts', of: name, id } })
        const told = receipts.map(({ name: recipient, status, fetchedBySession: session }) => ({
          recipient,
          status,
          ...(status === 'fetched' && session !== undefined && { session }),
        }))
        lines.push({ op, type: 'ok', result: { receipts: told } })
      }
    } catch (error) {
      if (!(error instanceof ClaudeNetError)) throw error
    } finally {
      client.close()
    }
  }
  const receipts = check(lines, []).filter(({ kind }) => kind === 'receipt')
  return [...found, ...receipts]
}

/** Returns all sends, and the messages that each inbox must show, because they were stored and no ack was started. */
function expectedContent(lines: readonly Line[]): { owed: Map<string, Set<string>>; sent: Map<string, Acts['send']> } {
  const sent = new Map<string, Acts['send']>()
  const owed = new Map<string, Set<string>>()
  const acts = new Map<number, Acts[keyof Acts]>()
  for (const line of lines) {
    if (line.type === 'invoke') {
      acts.set(line.op, line.act)
      if (line.act.kind === 'send') sent.set(line.act.id, line.act)
    }
    const act = acts.get(line.op)!
    if (line.type !== 'ok' || act.kind !== 'send') continue
    for (const name of act.to) owed.set(name, (owed.get(name) ?? new Set()).add(act.id))
  }
  for (const act of acts.values()) {
    if (act.kind === 'ack') for (const id of act.ids) owed.get(act.inbox)?.delete(id)
    if (act.kind === 'send' && act.replyTo !== undefined) owed.get(act.from)?.delete(act.replyTo)
  }
  return { owed, sent }
}
