import * as z from 'zod'
import { Timestamp } from './messages.ts'

/** Most characters (code points) of the line that a session says of itself, and of a branch or a tool. */
export const maxLine = 100

/** What may stand in the name of a branch (git-check-ref-format) and draws something; in the name of a tool. */
const branchPattern = /^[^\s\p{C}\p{Default_Ignorable_Code_Point}~^:?*[\\]{1,100}$/u
const toolPattern = /^[A-Za-z0-9_.:-]{1,100}$/

/** One line of text, which is untrusted wherever it is shown. */
const Line = z
  .string()
  .max(4 * maxLine)
  .refine(
    text => text.isWellFormed() && !/[\n\r\u2028\u2029]/.test(text) && [...text].length <= maxLine,
    `it is one line of at most ${maxLine} characters`,
  )

/** A permission prompt that is open in a session. What the tool is to do is not part of it. */
const Prompt = z.strictObject({
  /** The same in every heartbeat while this prompt is open, and never another's. */
  id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'an id has 1 to 64 characters A-Z a-z 0-9 _ -'),
  tool: z.string().regex(toolPattern, 'a tool is named in 1 to 100 characters A-Z a-z 0-9 _ . : -').optional(),
  since: Timestamp,
})

/**
 * What a session says of itself with each heartbeat: all of it every time, what is left out is not so any more. Times are the hub's
 * as far as the client knows it.
 */
export const activityFields = {
  branch: z.string().regex(branchPattern, 'a branch is named in 1 to 100 characters without spaces').optional(),
  /** Where no branch is checked out: the beginning of the commit that is. */
  commit: z
    .string()
    .regex(/^[0-9a-f]{7,64}$/, 'a commit has 7 to 64 characters 0-9 a-f')
    .optional(),
  /** Since when it works, or waits for its user: one of both at most. */
  busySince: Timestamp.optional(),
  idleSince: Timestamp.optional(),
  /** What it works on, in the words of its Claude or its user, and when they said so. */
  status: Line.min(1).optional(),
  statusSetAt: Timestamp.optional(),
  prompt: Prompt.optional(),
}

/** The same as a reader gets it. What a session says of itself is the machine's claim. */
export const shownActivity = {
  branch: z.string().optional(),
  commit: z.string().optional(),
  busySince: Timestamp.optional(),
  idleSince: Timestamp.optional(),
  status: z.string().optional(),
  statusSetAt: Timestamp.optional(),
  /** A permission prompt is open since then, of this tool as far as that is known. */
  prompt: z.object({ tool: z.string().optional(), since: Timestamp }).optional(),
}

const Activity = z.strictObject(activityFields)
export type Activity = z.infer<typeof Activity>

/** `name` as the name of a branch or a tool may be: what may not stand in it is `_`. */
export function branchName(name: string): string {
  return tokenOf(name, /[\s\p{C}\p{Default_Ignorable_Code_Point}~^:?*[\\]/gu)
}
export function toolName(name: string): string {
  return tokenOf(name, /[^A-Za-z0-9_.:-]/gu)
}

function tokenOf(name: string, others: RegExp): string {
  return [...name.replace(others, '_')].slice(0, maxLine).join('')
}

/** Whether `text` is what a session can say of itself. */
export function isStatusLine(text: string): boolean {
  return activityFields.status.safeParse(text).success
}
