import * as z from 'zod'
import { MemberName } from './names.ts'

/** Most names in one import, aliases and the names in groups among them: it is carried out in one go, and everybody waits. */
export const maxImportNames = 5000

const Aliases = z.array(MemberName).default([])

/** An organization in one file: who there is, whose machines are whose, and what else they are called. */
const OfAnySize = z.strictObject({
  humans: z.record(MemberName, z.strictObject({ aliases: Aliases })).default({}),
  machines: z.record(MemberName, z.strictObject({ owner: MemberName.optional(), aliases: Aliases })).default({}),
  groups: z.record(MemberName, z.array(MemberName)).default({}),
})
export const Organization = OfAnySize.refine(given => countNames(given) <= maxImportNames, {
  error: `it has more than ${maxImportNames} names; import it in parts`,
})
export type Organization = z.output<typeof Organization>

/** Names of the members that were not there before. */
export const ImportAnswer = z.object({ added: z.array(z.string()) })

function countNames({ humans, machines, groups }: z.output<typeof OfAnySize>): number {
  const lists = [...Object.values(humans), ...Object.values(machines)].map(({ aliases }) => aliases)
  return [...lists, ...Object.values(groups)].reduce((sum, names) => sum + 1 + names.length, 0)
}
