import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { Organization } from '../protocol/organization.ts'
import { count } from '../text/spans.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print } from './output.ts'

export function importCommand(): Command {
  const command = new Command('import')
    .description('Create or change members, owners, aliases and groups as listed in a file; others stay as they are')
    .argument('<file>', 'JSON file, such as examples/organization.json')
  return withAdminOptions(command).action((file: string, options: AdminOptions) =>
    asAdmin(options, async client => {
      const organization = readOrganization(file)
      const { added } = await client.call(api.importOrganization, { body: organization })
      const total = Object.keys(organization.humans).length + Object.keys(organization.machines).length
      print(options, { members: total, added }, () =>
        [
          `${count(total, 'member')} in the file; ${added.length === 0 ? 'all were there' : `made ${added.join(', ')}`}.`,
          'Each joins with a line of its own: claude-net invite NAME',
        ].join('\n'),
      )
    }),
  )
}

function readOrganization(file: string): Organization {
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
