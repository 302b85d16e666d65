import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import * as z from 'zod'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { MemberName } from '../protocol/names.ts'
import { count } from '../text/spans.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print } from './output.ts'

/** An organization in one file: who there is, whose machines are whose, and what else they are called. */
const Organization = z.strictObject({
  humans: z.record(MemberName, z.strictObject({ aliases: z.array(MemberName).default([]) })).default({}),
  machines: z
    .record(MemberName, z.strictObject({ owner: MemberName.optional(), aliases: z.array(MemberName).default([]) }))
    .default({}),
  groups: z.record(MemberName, z.array(MemberName)).default({}),
})

export function importCommand(): Command {
  const command = new Command('import')
    .description('make members, owners, aliases and groups as a file says; what it does not name stays')
    .argument('<file>', 'JSON, such as examples/organization.json')
  return withAdminOptions(command).action((file: string, options: AdminOptions) =>
    asAdmin(options, async client => {
      const { humans, machines, groups } = readOrganization(file)
      const added: string[] = []
      const put = async (name: string, kind: 'machine' | 'human', owner?: string) => {
        const answer = await client.call(api.putMember, { params: { name }, body: { kind, owner } })
        if (answer.added) added.push(name)
      }
      for (const name of Object.keys(humans)) await put(name, 'human')
      for (const [name, { owner }] of Object.entries(machines)) await put(name, 'machine', owner)
      for (const [member, { aliases }] of Object.entries({ ...humans, ...machines })) {
        for (const name of aliases) await client.call(api.putAlias, { params: { name }, body: { member } })
      }
      for (const [name, members] of Object.entries(groups)) {
        await client.call(api.putGroup, { params: { name }, body: { members } })
      }
      const total = Object.keys(humans).length + Object.keys(machines).length
      print(options, { members: total, added }, () =>
        [
          `${count(total, 'member')} in the file; ${added.length === 0 ? 'all were there' : `made ${added.join(', ')}`}.`,
          'Each joins with a line of its own: claude-net invite NAME',
        ].join('\n'),
      )
    }),
  )
}

function readOrganization(file: string): z.output<typeof Organization> {
  let json: unknown
  try {
    json = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new ClaudeNetError(
      'invalid',
      `${file} cannot be read: ${(error as Error).message}`,
      'It must be a JSON object.',
    )
  }
  const result = Organization.safeParse(json)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new ClaudeNetError(
    'invalid',
    `${file}: ${issue?.path.join('.') || 'top level'}: ${issue?.message}`,
    'Nothing was changed.',
  )
}
