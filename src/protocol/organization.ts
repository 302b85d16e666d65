import * as z from 'zod'
import { MemberName } from './names.ts'

/** Maximum number of names in one import, including aliases and members of groups: it runs as one command, and all others wait. */
export const maxImportNames = 5000

const Aliases = z.array(MemberName).default([])

/** An organization in one file: humans, machines and their owners, aliases, and groups. */
const OfAnySize = z.strictObject({
  humans: z.record(MemberName, z.strictObject({ aliases: Aliases })).default({}),
  machines: z.record(MemberName, z.strictObject({ owner: MemberName.optional(), aliases: Aliases })).default({}),
  groups: z.record(MemberName, z.array(MemberName)).default({}),
})
export const Organization = OfAnySize.refine(given => countNames(given) <= maxImportNames, {
  error: `it has more than ${maxImportNames} names; import it in parts`,
})
export type Organization = z.output<typeof Organization>

/** `added` lists the members that did not exist before. */
export const ImportAnswer = z.object({ added: z.array(z.string()) })

function countNames({ humans, machines, groups }: z.output<typeof OfAnySize>): number {
  const lists = [...Object.values(humans), ...Object.values(machines)].map(({ aliases }) => aliases)
  return [...lists, ...Object.values(groups)].reduce((sum, names) => sum + 1 + names.length, 0)
}
