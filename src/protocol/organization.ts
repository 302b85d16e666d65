import * as z from 'zod'
import { MemberName } from './names.ts'

/** An organization in one file: who there is, whose machines are whose, and what else they are called. */
export const Organization = z.strictObject({
  humans: z.record(MemberName, z.strictObject({ aliases: z.array(MemberName).default([]) })).default({}),
  machines: z
    .record(MemberName, z.strictObject({ owner: MemberName.optional(), aliases: z.array(MemberName).default([]) }))
    .default({}),
  groups: z.record(MemberName, z.array(MemberName)).default({}),
})
export type Organization = z.output<typeof Organization>

/** Names of the members that were not there before. */
export const ImportAnswer = z.object({ added: z.array(z.string()) })
