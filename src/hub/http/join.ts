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
import { checkAddress } from '../auth/identify.ts'
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
  // Checked before the code is used up for a token that could not be used from here.
  if (boundTo) checkAddress({ name: invite.name, boundTo }, request.clientAddress)
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
 * `GET /join/:code`: the script that a new machine pipes into sh; the code is not used up. For an invalid code it is a script that says
 * so and fails: with an HTTP error, sh would have nothing to run and exit with 0.
 */
export function joinScript(network: Network, hubKey: () => HubKey | undefined): Handlers['joinScript'] {
  return ({ hub, params, query, request, reply }) => {
    const url = `${network.protocolOf(request.raw)}://${request.headers.host}`
    // Behind a TLS proxy the machine would see the key of the proxy.
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

/** `GET /client/claude-net.mjs`: the client in the version of this hub. */
export function clientFile(path: string): Handlers['clientFile'] {
  return ({ reply }) => {
    const file = statSync(path, { throwIfNoEntry: false })
    if (!file) throw noClientFile()
    reply.type('text/javascript; charset=utf-8').header('content-length', file.size).send(createReadStream(path))
    return undefined
  }
}

/** `GET /client/claude-net.json`: version, size and hash of that file, so that a machine can check whether its own copy is current and complete. */
export function clientInfo(path: string): Handlers['clientInfo'] {
  let known: { of: string; info: Promise<AnswerOf<typeof api.clientInfo>> } | undefined
  return () => {
    const file = statSync(path, { throwIfNoEntry: false })
    if (!file) throw noClientFile()
    // The route is public, so the file is read and hashed only once per change.
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
  return new ClaudeNetError('unavailable', 'This hub has no client file.', 'Its admin should run: npm run build')
}
