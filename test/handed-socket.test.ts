import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import * as net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { startHub } from './support/hub.ts'
import { until } from './support/until.ts'

/**
 * Creates a bound socket that nothing in this process accepts connections on. Node's cluster module uses the same function, which has no
 * types.
 */
function boundSocket(): { fd: number; port: number } {
  const { _createServerHandle: bind } = net as unknown as Record<
    string,
    (host: string, port: number, family: 4) => Handle
  >
  const handle = bind!('127.0.0.1', 0, 4)
  onTestFinished(() => handle.close())
  const name = { port: 0 }
  handle.getsockname(name)
  return { fd: handle.fd, port: name.port }
}

interface Handle {
  fd: number
  getsockname(name: { port: number }): void
  close(): void
}

/** Sends one request. Returns whether it reused a connection, and whether its response was the last one on it. */
function ask(port: number, agent?: Agent): Promise<{ status: number; isReused: boolean; isLast: boolean }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ port, host: '127.0.0.1', path: '/healthz', agent }, response => {
      const { statusCode, headers } = response.resume()
      const isLast = headers.connection === 'close'
      response.on('end', () => resolve({ status: statusCode!, isReused: outgoing.reusedSocket, isLast }))
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

test('a hub with a socket from systemd answers every request before it stops, and its successor serves those that wait', async () => {
  const { fd, port } = boundSocket()
  const hub = await startHub({ handed: fd, config: { port: 1 } })
  expect(hub.port).toBe(port)
  // Child processes of the hub do not inherit the socket.
  const [, flags] = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/${hub.pid}/fdinfo/3`, 'utf8'))!
  expect(Number.parseInt(flags!, 8) & 0o2000000).toBe(0o2000000)

  // Each client continues on its connection until a response announces that it will be closed.
  const agents = Array.from({ length: 5 }, () => new Agent({ keepAlive: true, maxSockets: 1 }))
  onTestFinished(() => {
    for (const agent of agents) agent.destroy()
  })
  await Promise.all(agents.map(agent => ask(port, agent)))
  const served = agents.map(async agent => {
    for (;;) {
      const answer = await ask(port, agent)
      expect(answer).toMatchObject({ status: 200, isReused: true })
      if (answer.isLast) return
      await delay(5)
    }
  })
  await delay(20)
  const ended = hub.stop()
  await Promise.all(served)
  expect(await ended).toBe(0)

  const waits = ask(port)
  await hub.start()
  expect(await waits).toMatchObject({ status: 200 })
  await hub.stop('SIGKILL')
  const waitsToo = ask(port)
  await hub.start()
  expect(await waitsToo).toMatchObject({ status: 200 })
})

test('the address of a passed socket overrides hub.json, which is logged', async () => {
  const { fd, port } = boundSocket()
  const hub = await startHub({ handed: fd, port: 1 })
  expect(hub.url.port).toBe(String(port))
  await until('the line in the log', () => hub.log.includes('hub.json says otherwise'))
  expect((await fetch(new URL('/healthz', hub.url))).status).toBe(200)
})
