import * as z from 'zod'
import { HubKey } from './hub-key.ts'
import { Timestamp } from './messages.ts'
import { sshHostPattern } from './ssh-host-pattern.ts'

/** The name of a hub, unique among those that share its history. */
export const HubName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'a hub has a name of 1 to 63 characters a-z, 0-9 and -')

/** The header by which a hub proves to another one that it can read their shared log. */
export const logSecretHeader = 'claude-net-log-secret'

/** The address of a hub's host for ssh: `HOST` or `USER@HOST`, followed by `:PORT` if that is not 22. */
export const HubSsh = z.string().refine(isSshAddress, 'must be HOST or USER@HOST, followed by :PORT if that is not 22')

function isSshAddress(text: string): boolean {
  const [, host, port] = /^([^:]*)(?::(\d{1,5}))?$/.exec(text) ?? []
  return host !== undefined && sshHostPattern.test(host) && (port === undefined || isPort(Number(port)))
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535
}

/** A hub of a history, with the fields that every member may see. */
const KnownHub = z.object({
  name: HubName,
  /** Its address for clients, such as `https://h1.example.org:3500`; null if it has announced none. */
  url: z.string().nullable(),
  /** The address of its host for ssh; null if it has announced none. */
  ssh: z.string().nullable(),
  /** Its key; null if it has none. */
  hubKey: HubKey.nullable(),
  /** Whether it is the responding hub. */
  self: z.boolean(),
})

/** Further fields for an admin. A number is null if the responding hub has received no report of that hub since it started. */
const SeenHub = z.object({
  version: z.string(),
  /** The newest rules that its program supports; `rules` of the response are those in force. */
  entryVersion: z.number().int(),
  /** Whether it currently reports. */
  isLive: z.boolean(),
  /** Number of log records that it has applied, and its distance from the most advanced hub. */
  offset: z.number().int().nullable(),
  lag: z.number().int().nullable(),
  /** The seq of the last entry that it has applied. */
  seq: z.number().int().nullable(),
  /** Hash chains over the log's bytes and over the outcomes of its entries, at that offset: equal on all hubs at the same offset. */
  hash: z.string().nullable(),
  outcomes: z.string().nullable(),
  heardAt: Timestamp.nullable(),
  /** Whether it performs the tasks that one hub performs for all. */
  duty: z.boolean(),
  /** Reason, in a sentence, why it accepts no messages because hubs have diverged in their outcomes; null if it accepts them. */
  apart: z.string().nullable(),
})

/** `GET /v1/hubs`, by name. A standalone hub is the only one. */
export const HubsAnswer = z.object({
  hubs: z.array(KnownHub.extend(SeenHub.partial().shape)),
  /** For an admin: the version of the rules by which new entries are written; null for a standalone hub. */
  rules: z.number().int().nullable().optional(),
})
export type HubsAnswer = z.output<typeof HubsAnswer>
