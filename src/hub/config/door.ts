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

/** Schema of a rate whose parts may be overridden one by one; null disables it. */
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

/** Limits on the requests of one client. Null disables one limit, or all of them. */
const Limits = z
  .strictObject({
    /** Sends of one token. */
    sends: rate(600, 120),
    /** Sends of one member to another that is the only recipient. */
    pair: rate(120, 120),
    /** Sends of one token to `all` or a group. */
    broadcasts: rate(12, 6),
    /** Budget of one member's sends for a day, whoever the recipients are; it refills steadily. */
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
    /** Traffic between two machines above which they are paused and a person should look: see hub/loop-brake.ts. */
    loop: z
      .strictObject({
        /** Most messages between the two, both directions together, in `windowS` seconds. */
        messages: z.number().int().min(1).default(30),
        windowS: z.number().int().min(1).default(300),
        /** Most consecutive copies of one text from one to the other. */
        repeats: z.number().int().min(2).default(5),
        /** Length of the pause between the two, in seconds. */
        pauseS: z.number().int().min(1).default(600),
      })
      .nullable()
      .prefault({}),
    /** All other requests of one token. */
    reads: rate(6000, 1000),
    /** Requests of one address with a wrong token; and, counted apart, with a wrong join code. */
    failures: rate(10, 10),
    /** Proofs of the hub's identity that one address may request. */
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

/** Time limits for clients, in ms. */
const Timeouts = z
  .strictObject({
    /** For the head of a request. */
    headersMs: z.number().int().min(100).default(10_000),
    /** For a whole request. Node's own defaults (60 s, 300 s) leave room for clients that send a byte now and then. */
    requestMs: z.number().int().min(100).default(15_000),
    /** For reading a whole response, or the next event of a stream. 1 MiB in 60 s is 17 KiB/s. */
    answerMs: z.number().int().min(100).default(60_000),
    /** For draining a stream whose buffer is full. */
    streamDrainMs: z.number().int().min(100).default(30_000),
  })
  .refine(({ headersMs, requestMs }) => headersMs <= requestMs, {
    error: 'must not be longer than requestMs',
    path: ['headersMs'],
  })
  .prefault({})

/** Settings of the console. */
const Console = z
  .strictObject({
    /** Whether the admin may read message texts. Each such read is audited. */
    adminReads: z.boolean().default(false),
    /** Whether a machine may open the console as its owner. Every agent that can read its token then can, too. */
    machinesSpeakForOwners: z.boolean().default(false),
  })
  .prefault({})

/** Fields of hub.json for the HTTP door. */
export const doorFields = {
  /** Address of the hub for browsers, with which links to the console begin. */
  url: HubUrl.optional(),
  console: Console,
  /** Requests accepted without TLS: all, those from this host, or none. */
  plain: z.enum(['allow', 'loopback', 'refuse']).default('allow'),
  /** Networks of clients that use no trusted proxy. Others get only `/healthz`. */
  trustedNetworks: z.array(Cidr).default(privateNetworks),
  /** Reverse proxies whose X-Forwarded-For is trusted and whose clients may have any address. */
  trustedProxies: z.array(Cidr).default([]),
  limits: Limits,
  timeouts: Timeouts,
}

const DoorSettings = z.object(doorFields)

export type DoorSettings = z.output<typeof DoorSettings>
/** Address and settings of the console. */
export type ConsoleSettings = Pick<DoorSettings, 'url' | 'console'>
export type LimitSettings = DoorSettings['limits']
export type LoopSettings = NonNullable<NonNullable<LimitSettings>['loop']>
