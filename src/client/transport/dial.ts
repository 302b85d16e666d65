import { lookup } from 'node:dns'
import { type Agent, Agent as HttpAgent, type RequestOptions } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import { connect, isIP, type LookupFunction, type Socket, type TcpNetConnectOpts } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Pin, secure } from './pin.ts'

/**
 * Time for which an address is tried alone, in ms, before the next is tried in parallel: the Connection Attempt Delay of RFC 8305.
 * Node's own `autoSelectFamily` abandons the first after that time, so that a slow handshake never succeeds.
 */
const attemptDelayMs = 250

type Opened = (error: Error | null, socket: Duplex) => void

/** Options of an agent's `createConnection`. `dialSignal` aborts the attempts together with their request. */
export type DialOptions = RequestOptions & { dialSignal?: AbortSignal }

/**
 * Returns an agent whose connections to a name try all its addresses, IPv4 and IPv6, and use the first that accepts. `tls` selects
 * no TLS, HTTPS with Node's verification of the certificate, or TLS to the hub with one key. An agent of the last kind is for
 * `http.request`.
 */
export function dialingAgent(
  tls: 'none' | 'verified' | { pin: Pin },
  find: LookupFunction = lookup as LookupFunction,
): Agent {
  if (typeof tls === 'object') return pinningAgent(tls.pin, find)
  const isTls = tls === 'verified'
  const agent = isTls ? new TlsAgent(kept) : new HttpAgent(kept)
  const plain = agent.createConnection.bind(agent)
  const createConnection = (options: DialOptions, opened: Opened) => {
    const { host, port, socketPath, dialSignal } = options
    if (socketPath || !host || isIP(host)) return plain(options, opened)
    dial(host, Number(port), { find, signal: dialSignal }).then(
      socket => opened(null, isTls ? plain({ ...options, socket } as DialOptions)! : socket),
      error => opened(error, undefined as never),
    )
    return undefined
  }
  return Object.assign(agent, { createConnection })
}

function pinningAgent(pin: Pin, find: LookupFunction): Agent {
  const createConnection = (options: DialOptions, opened: Opened) => {
    const { host, port, socketPath, dialSignal } = options
    const carrier = socketPath
      ? connect(socketPath)
      : isIP(host!)
        ? connect({ host: host!, port: Number(port), noDelay: true })
        : dial(host!, Number(port), { find, signal: dialSignal })
    // Synchronous if possible: a connection may fail before the next tick.
    const proven =
      carrier instanceof Promise
        ? carrier.then(socket => secure(socket, pin, dialSignal))
        : secure(carrier, pin, dialSignal)
    proven.then(
      socket => opened(null, socket),
      error => opened(error, undefined as never),
    )
    return undefined
  }
  return Object.assign(new HttpAgent(kept), { createConnection })
}

const kept = { keepAlive: true, maxSockets: 16 }

export interface Dial {
  find?: LookupFunction
  /** `net.connect`; tests replace it. */
  open?: (options: TcpNetConnectOpts) => Socket
  signal?: AbortSignal
}

/** Returns a connection to the address of `host` that accepts first. Throws the first error, or the reason of the abort. */
export async function dial(
  host: string,
  port: number,
  { find = lookup as LookupFunction, open: openSocket = connect, signal }: Dial = {},
): Promise<Socket> {
  const addresses = await addressesOf(host, find)
  signal?.throwIfAborted()
  return new Promise((resolve, reject) => {
    const open = new Set<Socket>()
    let [next, failed] = [0, 0]
    let timer: NodeJS.Timeout | undefined
    let firstError: Error | undefined
    let isSettled = false
    const end = (settle: () => void, winner?: Socket) => {
      if (isSettled) return
      isSettled = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
      for (const socket of open) if (socket !== winner) socket.destroy()
      settle()
    }
    const giveUp = () => end(() => reject(signal!.reason))
    const tryNext = () => {
      clearTimeout(timer)
      if (isSettled || next >= addresses.length) return
      const socket = openSocket({ host: addresses[next++]!, port, noDelay: true })
      open.add(socket)
      socket.on('error', error => {
        if (!open.delete(socket)) return
        firstError ??= error
        failed++
        if (failed === addresses.length) end(() => reject(firstError))
        // Without delay, since this address has failed.
        else tryNext()
      })
      socket.once('connect', () => {
        socket.removeAllListeners('error')
        end(() => resolve(socket), socket)
      })
      timer = setTimeout(tryNext, attemptDelayMs)
    }
    signal?.addEventListener('abort', giveUp)
    tryNext()
  })
}

/** Returns the addresses of a name, both families alternating, that of the system's first choice first. */
function addressesOf(host: string, find: LookupFunction): Promise<string[]> {
  return new Promise((resolve, reject) => {
    find(host, { all: true }, (error, found) => {
      if (error) return reject(error)
      const all = found as { address: string; family: number }[]
      const ours = all.filter(({ family }) => family === all[0]?.family)
      const others = all.filter(({ family }) => family !== all[0]?.family)
      resolve(
        ours
          .flatMap((each, index) => [each, others[index]])
          .concat(others.slice(ours.length))
          .flatMap(each => each?.address ?? []),
      )
    })
  })
}
