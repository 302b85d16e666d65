import * as z from 'zod'
import { Timestamp } from './messages.ts'

/** Maximum length of a session's status line, of a branch and of a tool, in characters (code points). */
export const maxLine = 100

/** Visible characters that git allows in the name of a branch (git-check-ref-format), and those of the name of a tool. */
const branchPattern = /^[^\s\p{C}\p{Default_Ignorable_Code_Point}~^:?*[\\]{1,100}$/u
const toolPattern = /^[A-Za-z0-9_.:-]{1,100}$/

/** One line of text, untrusted wherever it is shown. */
const Line = z
  .string()
  .max(4 * maxLine)
  .refine(
    text => text.isWellFormed() && !/[\n\r\u2028\u2029]/.test(text) && [...text].length <= maxLine,
    `must be one line of at most ${maxLine} characters`,
  )

/** A permission prompt that is open in a session, without the action that it asks about. */
const Prompt = z.strictObject({
  /** Identical in every heartbeat while this prompt is open, and unique to it. */
  id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'an id has 1 to 64 characters A-Z a-z 0-9 _ -'),
  tool: z.string().regex(toolPattern, 'a tool is named in 1 to 100 characters A-Z a-z 0-9 _ . : -').optional(),
  since: Timestamp,
})

/**
 * State that a session reports with each heartbeat. Every report is complete: an absent field clears the previous value. Times are
 * by the hub's clock, as the client estimates it.
 */
export const activityFields = {
  branch: z.string().regex(branchPattern, 'a branch is named in 1 to 100 characters without spaces').optional(),
  /** Abbreviated hash of the commit that is checked out, if no branch is. */
  commit: z
    .string()
    .regex(/^[0-9a-f]{7,64}$/, 'a commit has 7 to 64 characters 0-9 a-f')
    .optional(),
  /** Time since which it works, or waits for its user; at most one of the two is set. */
  busySince: Timestamp.optional(),
  idleSince: Timestamp.optional(),
  /** Its work in the words of its Claude or its user, and the time they set it. */
  status: Line.min(1).optional(),
  statusSetAt: Timestamp.optional(),
  prompt: Prompt.optional(),
}

/** The same fields as readers receive them. They are the machine's claim and are not verified. */
export const shownActivity = {
  branch: z.string().optional(),
  commit: z.string().optional(),
  busySince: Timestamp.optional(),
  idleSince: Timestamp.optional(),
  status: z.string().optional(),
  statusSetAt: Timestamp.optional(),
  /** The open permission prompt: its start, and its tool if known. */
  prompt: z.object({ tool: z.string().optional(), since: Timestamp }).optional(),
}

const Activity = z.strictObject(activityFields)
export type Activity = z.infer<typeof Activity>

/** Returns `name` as a valid name of a branch: other characters become `_`. */
export function branchName(name: string): string {
  return tokenOf(name, /[\s\p{C}\p{Default_Ignorable_Code_Point}~^:?*[\\]/gu)
}
/** Returns `name` as a valid name of a tool: other characters become `_`. */
export function toolName(name: string): string {
  return tokenOf(name, /[^A-Za-z0-9_.:-]/gu)
}

function tokenOf(name: string, others: RegExp): string {
  return [...name.replace(others, '_')].slice(0, maxLine).join('')
}

/** Reports whether `text` is a valid status line. */
export function isStatusLine(text: string): boolean {
  return activityFields.status.safeParse(text).success
}
