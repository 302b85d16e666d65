import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type IncomingMessage, request, type ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

const file = (name: string) => join(import.meta.dirname, 'tls', name)

/** The authority of the proxy's certificate. Its key was deleted; the certificates expire in a hundred years. */
export const testAuthority = file('ca.pem')

/** Starts a reverse proxy with TLS, like Caddy or nginx in front of a hub. Returns its address. */
export async function startTlsProxy(hub: { url: URL }): Promise<URL> {
  const server = createServer({ cert: readFileSync(file('hub.pem')), key: readFileSync(file('hub.key')) }, (from, to) =>
    forward(hub.url, from, to),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return new URL(`https://localhost:${(server.address() as AddressInfo).port}`)
}

function forward(hub: URL, from: IncomingMessage, to: ServerResponse): void {
  const headers = { ...from.headers, 'x-forwarded-for': '203.0.113.5', 'x-forwarded-proto': 'https' }
  const { method, url: path } = from
  const outgoing = request({ host: hub.hostname, port: hub.port, method, path, headers }, answer => {
    to.writeHead(answer.statusCode!, answer.headers)
    answer.pipe(to)
  })
  outgoing.on('error', () => to.destroy())
  to.on('close', () => outgoing.destroy())
  from.pipe(outgoing)
}
