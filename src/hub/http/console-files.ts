import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ClaudeNetError } from '../../protocol/errors.ts'

const mediaTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
}

/** Names with a content hash from Vite: such a file never changes. */
const hashed = /-[\w-]{8}\.(js|css)$/

/**
 * Lets the page load and reach only its own hub, and turns no text into markup or code. `claude-net` is the only Trusted Types policy that
 * may name a script, and it names only the service worker (src/console/worker.ts).
 */
const pagePolicy = [
  "default-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "object-src 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types claude-net',
].join('; ')

const headers = {
  'content-security-policy': pagePolicy,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy':
    'accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()',
}

/** Sends one file of the console, compressed if the browser accepts that. Throws `not_found`. */
export async function sendConsoleFile(
  dir: string,
  name: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const type = mediaTypes[extname(name)]
  const found = type && /^[A-Za-z0-9][\w.-]*$/.test(name) ? await readBest(dir, name, request) : undefined
  if (!found) throw noSuchFile(name)
  const { bytes, encoding } = found
  const etag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 27)}"`
  reply.headers({ ...headers, vary: 'accept-encoding', etag })
  reply.header('cache-control', hashed.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache')
  // The worker is under /console/, but its scope is the page above it.
  if (name === 'worker.js') reply.header('service-worker-allowed', '/')
  if (request.headers['if-none-match']?.split(/\s*,\s*/).includes(etag)) {
    reply.status(304).send()
    return
  }
  reply.type(type!)
  if (encoding !== undefined) reply.header('content-encoding', encoding)
  reply.send(bytes)
}

/** Reads a file in the best encoding that the browser accepts: `.br` and `.gz` files are beside those that compress well. */
async function readBest(
  dir: string,
  name: string,
  { headers }: FastifyRequest,
): Promise<{ bytes: Buffer; encoding?: string } | undefined> {
  const accepted = acceptedEncodings(headers['accept-encoding'])
  for (const [encoding, suffix] of [
    ['br', '.br'],
    ['gzip', '.gz'],
  ] as const) {
    if (!accepted.has(encoding)) continue
    const bytes = await read(join(dir, name + suffix))
    if (bytes) return { bytes, encoding }
  }
  const bytes = await read(join(dir, name))
  return bytes && { bytes }
}

/** Returns the encodings of an Accept-Encoding header without those refused by `q=0`. */
function acceptedEncodings(header: string | string[] | undefined): Set<string> {
  const parts = [header ?? []].flat().join(',').split(',')
  return new Set(parts.filter(part => !/;\s*q=0(\.0*)?\s*$/.test(part)).map(part => part.split(';')[0]!.trim()))
}

function read(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  })
}

function noSuchFile(name: string): ClaudeNetError {
  return name === 'index.html'
    ? new ClaudeNetError('unavailable', 'This hub has no web console.', 'Its admin should run: npm run build')
    : new ClaudeNetError(
        'not_found',
        'The console has no such file.',
        'Reload the page: the hub may have been updated.',
      )
}
