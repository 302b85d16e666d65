import * as z from 'zod'

/** State that a hub puts on the board, under `hubStateTopic`. */
export const HubState = z.object({
  /** Its position in the log: see `Mark`. */
  offset: z.number().int().nonnegative(),
  seq: z.number().int().nonnegative(),
  log: z.string().max(64),
  outcomes: z.string().max(64),
  /** Version of its program. */
  version: z.string().max(64),
  entryVersion: z.number().int().positive(),
  /** Its wall clock, in ms since 1970. */
  at: z.number().int(),
  duty: z.boolean().default(false),
  /** Reason for which it accepts no messages; null while it does. */
  apart: z.string().max(1000).nullable().default(null),
})
export type HubState = z.output<typeof HubState>

export const hubStateTopic = 'state'

/** Parses a hub's state from the board; returns undefined for anything else. */
export function readHubState(value: string | undefined): HubState | undefined {
  try {
    return HubState.safeParse(JSON.parse(value ?? '')).data
  } catch {
    return undefined
  }
}
