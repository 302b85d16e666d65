import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { AddressRanges } from '../../protocol/address-range.ts'
import type { api } from '../../protocol/api.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { HubKey } from '../../protocol/hub-key.ts'
import { hashJoinCode, joinCodePattern, normalizeJoinCode } from '../../protocol/join-code.ts'
import type { AnswerOf } from '../../protocol/routes/route.ts'
import { hashToken, parseToken } from '../../protocol/token.ts'
import { version } from '../../protocol/version.ts'
import { checkPlace } from '../auth/identify.ts'
import { openInvite } from '../state/query/members.ts'
import type { Handlers } from './handler.ts'
import { failingScript, joinScript as script } from './join-script.ts'
import type { Network } from './network.ts'
import { sendScript } from './refused-script.ts'
import { isByTls } from './tls-sockets.ts'

/** `POST /v1/join`. */
export const join: Handlers['join'] = async ({ hub, body, request }) => {
  const parsed = parseToken(body.token)
  if (!parsed) throw new ClaudeNetError('invalid', "The token's checksum is wrong.", 'Mint it with claude-net join.')
  const codeHash = hashJoinCode(normalizeJoinCode(body.code))
  const invite = openInvite(hub.state.db, codeHash, hub.steadyNow)
  const boundTo = invite?.boundTo && new AddressRanges(JSON.parse(invite.boundTo) as string[])
  // Before the code is spent on a token that could not be used here.
  if (boundTo) checkPlace({ name: invite.name, boundTo }, request.clientAddress)
  return hub.submit({
    type: 'member.join',
    name: body.machine,
    codeHash: codeHash.toString('base64'),
    tokenId: parsed.id,
    tokenHash: hashToken(body.token).toString('base64'),
    role: parsed.role,
  })
}

/**
 * `GET /join/:code`: the script that a new machine pipes into sh; it consumes nothing. For a code that is no good it is a
 * script too, one that says so and fails: an HTTP error would leave sh with nothing to run and an exit status of 0.
 */
export function joinScript(network: Network, hubKey: () => HubKey | undefined): Handlers['joinScript'] {
  return ({ hub, params, query, request, reply }) => {
    const url = `${network.protocolOf(request.raw)}://${request.headers.host}`
    // Behind a proxy with TLS it is that one's key that the machine would see.
    const key = isByTls(request.raw) ? hubKey() : undefined
    const code = normalizeJoinCode(params.code)
    const invite = joinCodePattern.test(code) ? openInvite(hub.state.db, hashJoinCode(code), hub.steadyNow) : undefined
    const text = invite
      ? script({ url, ...invite, code, via: query.via, hubKey: key })
      : failingScript(
          'This join code is unknown, used, or older than 10 minutes. Ask the admin for: claude-net invite NAME',
        )
    sendScript(reply, text)
    return undefined
  }
}

/** `GET /client/claude-net.mjs`: the machine's side as this hub's version has it. */
export function clientFile(path: string): Handlers['clientFile'] {
  return ({ reply }) => {
    const file = statSync(path, { throwIfNoEntry: false })
    if (!file) throw noClientFile()
    reply.type('text/javascript; charset=utf-8').header('content-length', file.size).send(createReadStream(path))
    return undefined
  }
}

/** `GET /client/claude-net.json`: what that file is, so that a machine can tell whether it has it, and has it whole. */
export function clientInfo(path: string): Handlers['clientInfo'] {
  let known: { of: string; info: Promise<AnswerOf<typeof api.clientInfo>> } | undefined
  return () => {
    const file = statSync(path, { throwIfNoEntry: false })
    if (!file) throw noClientFile()
    // Whoever asks may be anybody, so the file is read and hashed once.
    const of = `${file.ino} ${file.size} ${file.mtimeMs}`
    if (known?.of !== of) known = { of, info: readInfo(path) }
    return known.info
  }
}

async function readInfo(path: string): Promise<AnswerOf<typeof api.clientInfo>> {
  const bytes = await readFile(path).catch(() => {
    throw noClientFile()
  })
  return { version, bytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') }
}

function noClientFile(): ClaudeNetError {
  return new ClaudeNetError(
    'unavailable',
    'This hub has no client file to give.',
    'Its admin should run: npm run build',
  )
}
