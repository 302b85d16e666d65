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

/** What Vite named after its content: it never changes under this name. */
const hashed = /-[\w-]{8}\.(js|css)$/

/**
 * The page may load and reach what its own hub hands out, and nothing else; no text becomes markup or code. `claude-net` is the one policy
 * that may name a script, and it names the service worker alone (src/console/worker.ts).
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

/** Sends one file of the console, compressed where the browser takes that. Throws `not_found`. */
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
  // The worker lies under /console/ and answers for the page, which is above it.
  if (name === 'worker.js') reply.header('service-worker-allowed', '/')
  if (request.headers['if-none-match']?.split(/\s*,\s*/).includes(etag)) {
    reply.status(304).send()
    return
  }
  reply.type(type!)
  if (encoding !== undefined) reply.header('content-encoding', encoding)
  reply.send(bytes)
}

/** The file as the browser takes it: `.br` and `.gz` lie beside what shrinks. */
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

/** The names of an Accept-Encoding header that are not refused by `q=0`. */
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
    ? new ClaudeNetError('unavailable', 'This hub has no web console to give.', 'Its admin should run: npm run build')
    : new ClaudeNetError(
        'not_found',
        'The console has no such file.',
        'Open the page again: the hub may have been updated.',
      )
}
