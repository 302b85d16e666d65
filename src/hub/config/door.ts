import * as z from 'zod'
import { Cidr } from '../../protocol/address-range.ts'
import { hostNameOf } from '../../protocol/hub-address.ts'

/** Loopback, private networks (RFC 1918), shared address space of VPNs (RFC 6598), link-local, unique local (RFC 4193). */
const privateNetworks = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  '::1/128',
  'fe80::/10',
  'fc00::/7',
]

/** A rate that may be changed in part, or switched off with null. */
function rate(perMinute: number, burst: number) {
  return z
    .strictObject({
      perMinute: z.number().positive().default(perMinute),
      burst: z.number().int().min(1).default(burst),
    })
    .nullable()
    .prefault({})
}

/** The address of a hub without path and query, such as `https://claudes.example.org`. */
const HubUrl = z
  .string()
  .refine(isOrigin, 'must look like https://claudes.example.org, without a path')
  .transform(url => new URL(url).origin)

function isOrigin(text: string): boolean {
  const url = URL.parse(text)
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:'
  return url !== null && isHttp && url.href === `${url.origin}/` && hostNameOf(url.host) !== undefined
}

const mebibyte = 1024 * 1024

/** What one client may ask of the hub before it is told to wait. Null switches one off, or all of them. */
const Limits = z
  .strictObject({
    /** Sends of one token. */
    sends: rate(600, 120),
    /** Sends of one member to one other, named by itself. */
    pair: rate(120, 120),
    /** Sends of one token to `all` or a group. */
    broadcasts: rate(12, 6),
    /** What one member may send in a day, to whomever: its budget fills up again steadily. */
    daily: z
      .strictObject({
        messages: z.number().int().min(1).default(20_000),
        /** Of texts. */
        bytes: z
          .number()
          .int()
          .min(32 * 1024)
          .default(64 * 1024 * 1024),
      })
      .nullable()
      .prefault({}),
    /** Mail between two machines, after which a person should look: see hub/loop-brake.ts. */
    loop: z
      .strictObject({
        /** Most messages between the two, both directions together, in `windowS` seconds. */
        messages: z.number().int().min(1).default(30),
        windowS: z.number().int().min(1).default(300),
        /** How often running the same text may go from one to the other. */
        repeats: z.number().int().min(2).default(5),
        /** How long the two are kept apart, in seconds. */
        pauseS: z.number().int().min(1).default(600),
      })
      .nullable()
      .prefault({}),
    /** All other requests of one token. */
    reads: rate(6000, 1000),
    /** Requests of one address with a wrong token; and, counted apart, with a wrong join code. */
    failures: rate(10, 10),
    /** How often one address may ask the hub to prove itself. */
    proofs: rate(60, 60),
    /** Event streams that one token may have open at once. */
    streamsPerToken: z.number().int().min(1).nullable().default(16),
    /** Connections open at once that have shown a valid token: of all tokens together, and of one. */
    connections: z.number().int().min(1).nullable().default(4096),
    connectionsPerToken: z.number().int().min(1).nullable().default(256),
    /** Connections open at once that have not. The idlest are closed to make room for new ones. */
    strangers: z
      .strictObject({
        /** Of all addresses together. */
        connections: z.number().int().min(1).default(256),
        /** Of one address that is no trusted proxy. */
        perAddress: z.number().int().min(1).default(64),
      })
      .nullable()
      .prefault({}),
    /**
     * Bytes that wait in the hub, of all clients together, and of one: of answers that are not read; and, counted apart, of requests
     * that have not come whole.
     */
    unreadBytes: z
      .number()
      .int()
      .min(1)
      .nullable()
      .default(64 * mebibyte),
    unreadBytesPerToken: z
      .number()
      .int()
      .min(1)
      .nullable()
      .default(8 * mebibyte),
  })
  .nullable()
  .prefault({})

/** How long a client may take, in ms. */
const Timeouts = z
  .strictObject({
    /** For the head of a request. */
    headersMs: z.number().int().min(100).default(10_000),
    /** For a whole request. Node's own defaults (60 s, 300 s) leave room for clients that send a byte now and then. */
    requestMs: z.number().int().min(100).default(15_000),
    /** For reading a whole answer, or, of a stream, the next event. 1 MiB in this time is a line of 17 KiB/s. */
    answerMs: z.number().int().min(100).default(60_000),
    /** For reading on, once a stream's buffer is full. */
    streamDrainMs: z.number().int().min(100).default(30_000),
  })
  .refine(({ headersMs, requestMs }) => headersMs <= requestMs, {
    error: 'must not be longer than requestMs',
    path: ['headersMs'],
  })
  .prefault({})

/** What the console shows, and to whom. */
const Console = z
  .strictObject({
    /** Whether the admin is shown texts. Each look is audited. */
    adminReads: z.boolean().default(false),
    /** Whether a machine may open the console as its owner. Every agent that can read its token can then, too. */
    machinesSpeakForOwners: z.boolean().default(false),
  })
  .prefault({})

/** The fields of hub.json that the HTTP door goes by. */
export const doorFields = {
  /** At which address people reach the hub with a browser: links into the console begin with it. */
  url: HubUrl.optional(),
  console: Console,
  /** From where requests that come without TLS are taken: from everywhere, from this host alone, or from nowhere. */
  plain: z.enum(['allow', 'loopback', 'refuse']).default('allow'),
  /** Where clients may come from without a proxy. From anywhere else only `/healthz` answers. */
  trustedNetworks: z.array(Cidr).default(privateNetworks),
  /** Reverse proxies, whose X-Forwarded-For is believed and whose clients may come from anywhere. */
  trustedProxies: z.array(Cidr).default([]),
  limits: Limits,
  timeouts: Timeouts,
}

const DoorSettings = z.object(doorFields)

export type DoorSettings = z.output<typeof DoorSettings>
/** How people reach the console, and what it shows. */
export type ConsoleSettings = Pick<DoorSettings, 'url' | 'console'>
export type LimitSettings = DoorSettings['limits']
export type LoopSettings = NonNullable<NonNullable<LimitSettings>['loop']>
