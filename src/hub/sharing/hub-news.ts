import * as z from 'zod'

/** What a hub shows of itself on the board, under `hubStateTopic`. */
export const HubState = z.object({
  /** Where it stands in the log: see `Mark`. */
  offset: z.number().int().nonnegative(),
  seq: z.number().int().nonnegative(),
  log: z.string().max(64),
  outcomes: z.string().max(64),
  /** Of its program. */
  version: z.string().max(64),
  entryVersion: z.number().int().positive(),
  /** Its wall clock, in ms since 1970. */
  at: z.number().int(),
  duty: z.boolean().default(false),
  /** Why it takes no messages; null where it does. */
  apart: z.string().max(1000).nullable().default(null),
})
export type HubState = z.output<typeof HubState>

export const hubStateTopic = 'state'

/** The state of a hub as the board has it; undefined for what is none. */
export function readHubState(value: string | undefined): HubState | undefined {
  try {
    return HubState.safeParse(JSON.parse(value ?? '')).data
  } catch {
    return undefined
  }
}
