import * as z from 'zod'
import { HubKey } from './hub-key.ts'
import { Timestamp } from './messages.ts'
import { sshHostPattern } from './ssh-host-pattern.ts'

/** The name of a hub among those that share its history. */
export const HubName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'a hub has a name of 1 to 63 characters a-z, 0-9 and -')

/** The header by which a hub shows to another of its log that it can read that log. */
export const logSecretHeader = 'claude-net-log-secret'

/** Where a hub's host is reached by ssh: `HOST` or `USER@HOST`, with `:PORT` behind it where that is not 22. */
export const HubSsh = z
  .string()
  .refine(isSshPlace, 'must be HOST or USER@HOST, with :PORT behind it where that is not 22')

function isSshPlace(text: string): boolean {
  const [, host, port] = /^([^:]*)(?::(\d{1,5}))?$/.exec(text) ?? []
  return host !== undefined && sshHostPattern.test(host) && (port === undefined || isPort(Number(port)))
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535
}

/** A hub of a history, as each member may know it. */
const KnownHub = z.object({
  name: HubName,
  /** Its address for clients, such as `https://h1.example.org:3500`; null where it has announced none. */
  url: z.string().nullable(),
  /** Where its host is reached by ssh; null where it has announced nothing. */
  ssh: z.string().nullable(),
  /** What it proves itself by; null where it has no key. */
  hubKey: HubKey.nullable(),
  /** Whether it is the hub that answers. */
  self: z.boolean(),
})

/** What an admin is shown of a hub besides. A number is null where nothing was heard of that hub since the answering one started. */
const SeenHub = z.object({
  version: z.string(),
  /** The newest rules that its program knows; `rules` of the answer are those in force. */
  entryVersion: z.number().int(),
  /** Whether it is heard of now. */
  isLive: z.boolean(),
  /** How many records of the log it has applied, and how many fewer than the furthest hub. */
  offset: z.number().int().nullable(),
  lag: z.number().int().nullable(),
  /** The number of the last entry that it has applied. */
  seq: z.number().int().nullable(),
  /** The chains of the log's bytes, and of what came of its entries, at that offset: two hubs at one offset have the same. */
  hash: z.string().nullable(),
  outcomes: z.string().nullable(),
  heardAt: Timestamp.nullable(),
  /** Whether it does what one hub does for all. */
  duty: z.boolean(),
  /** Why it takes no messages, in a sentence, where the hubs have come to different outcomes; null where it does. */
  apart: z.string().nullable(),
})

/** `GET /v1/hubs`, by name. A hub that stands alone is the only one. */
export const HubsAnswer = z.object({
  hubs: z.array(KnownHub.extend(SeenHub.partial().shape)),
  /** For an admin: the version of the rules by which new entries are written; null for a hub that stands alone. */
  rules: z.number().int().nullable().optional(),
})
export type HubsAnswer = z.output<typeof HubsAnswer>
