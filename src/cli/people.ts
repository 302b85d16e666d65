import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import * as z from 'zod'
import type { HubClient } from '../client/hub-client.ts'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { MemberName } from '../protocol/names.ts'
import { count } from '../text/spans.ts'
import { type AdminOptions, adminClient, withAdminOptions } from './admin.ts'
import { print, table } from './output.ts'

/** Runs `work` with an admin's client and closes it. */
async function asAdmin(options: AdminOptions, work: (client: HubClient) => Promise<void>): Promise<void> {
  const { client } = adminClient(options)
  try {
    await work(client)
  } finally {
    client.close()
  }
}

export function aliasCommand(): Command {
  const command = new Command('alias')
    .description('give a member another name to be reached by')
    .argument('<alias>', 'the other name')
    .argument('[member]', 'whose it is; it may point to another member before')
    .option('--remove', 'take the alias away')
  return withAdminOptions(command).action(
    (alias: string, member: string | undefined, options: AdminOptions & { remove?: boolean }) =>
      asAdmin(options, async client => {
        if (options.remove) {
          const answer = await client.call(api.deleteAlias, { params: { name: alias } })
          print(options, answer, () => `${alias} is no longer an alias of ${answer.member}.`)
          return
        }
        if (member === undefined) {
          throw new ClaudeNetError(
            'invalid',
            'Whose alias shall it be?',
            `claude-net alias ${alias} MEMBER, or --remove`,
          )
        }
        const answer = await client.call(api.putAlias, { params: { name: alias }, body: { member } })
        print(options, answer, () => `${answer.alias} now means ${answer.member}.`)
      }),
  )
}

export function groupCommand(): Command {
  const command = new Command('group')
    .description('list groups, or say who is in one')
    .argument('[group]', 'the group; made if it is new')
    .argument('[members...]', 'all of its members')
    .option('--remove', 'take the group away; its members stay')
  return withAdminOptions(command).action(
    (group: string | undefined, members: string[], options: AdminOptions & { remove?: boolean }) =>
      asAdmin(options, async client => {
        if (group === undefined || (members.length === 0 && !options.remove)) {
          const { groups } = await client.call(api.listGroups)
          const shown = groups.filter(({ name }) => group === undefined || name === group)
          if (group !== undefined && shown.length === 0) {
            throw new ClaudeNetError(
              'not_found',
              `There is no group '${group}'.`,
              `Make it: claude-net group ${group} MEMBER…`,
            )
          }
          print(options, { groups: shown }, () =>
            shown.length === 0
              ? 'No groups yet. Make the first: claude-net group NAME MEMBER…'
              : table([['GROUP', 'MEMBERS'], ...shown.map(({ name, members }) => [name, members.join(', ')])]),
          )
          return
        }
        if (options.remove) {
          const answer = await client.call(api.deleteGroup, { params: { name: group } })
          print(options, answer, () => `There is no group ${group} any more.`)
          return
        }
        const answer = await client.call(api.putGroup, { params: { name: group }, body: { members } })
        print(
          options,
          answer,
          () => `${group} has ${count(answer.members.length, 'member')}: ${answer.members.join(', ')}.`,
        )
      }),
  )
}

export function ownerCommand(): Command {
  const command = new Command('owner')
    .description('say to which human a machine belongs')
    .argument('<machine>', 'the machine')
    .argument('[human]', 'its owner')
    .option('--none', 'it belongs to nobody')
  return withAdminOptions(command).action(
    (machine: string, human: string | undefined, options: AdminOptions & { none?: boolean }) =>
      asAdmin(options, async client => {
        if ((human === undefined) === !options.none) {
          throw new ClaudeNetError('invalid', 'Name the owner, or say --none.', `claude-net owner ${machine} HUMAN`)
        }
        const known = await client.call(api.listMembers)
        if (!known.members.some(({ name }) => name === machine)) throw unknownMember(machine)
        const answer = await client.call(api.putMember, { params: { name: machine }, body: { owner: human ?? null } })
        print(options, { ...answer, owner: human ?? null }, () => `${machine} belongs to ${human ?? 'nobody'}.`)
      }),
  )
}

export function renameCommand(): Command {
  const command = new Command('rename')
    .description('give a member another name; its inbox, token and groups stay')
    .argument('<name>', 'the name now')
    .argument('<to>', 'the new name')
  return withAdminOptions(command).action((name: string, to: string, options: AdminOptions) =>
    asAdmin(options, async client => {
      const answer = await client.call(api.renameMember, { params: { name }, body: { to } })
      print(options, answer, () =>
        [
          `${name} is now ${answer.name}. The old name means nobody; to keep it: claude-net alias ${name} ${answer.name}`,
          `On that machine, set "machine": "${answer.name}" in ~/.claude-net/config.json.`,
        ].join('\n'),
      )
    }),
  )
}

export function revokeCommand(): Command {
  const command = new Command('revoke')
    .description("end a member's tokens at once; its inbox stays")
    .argument('<name>', 'the member')
  return withAdminOptions(command).action((name: string, options: AdminOptions) =>
    asAdmin(options, async client => {
      const answer = await client.call(api.revokeMember, { params: { name } })
      print(options, answer, () => {
        const what = answer.revoked === 0 ? `${answer.name} had no token.` : `${answer.name} is locked out.`
        return `${what} Mail goes on waiting for it; to let it in again: claude-net invite ${answer.name}`
      })
    }),
  )
}

export function deleteCommand(): Command {
  const command = new Command('delete')
    .description('take a member away: what it had not read expires, and its name is free')
    .argument('<name>', 'the member')
  return withAdminOptions(command).action((name: string, options: AdminOptions) =>
    asAdmin(options, async client => {
      const answer = await client.call(api.deleteMember, { params: { name } })
      print(options, answer, () => `${answer.name} is gone; ${count(answer.expired, 'unread message')} expired.`)
    }),
  )
}

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

function unknownMember(name: string): ClaudeNetError {
  return new ClaudeNetError('not_found', `No member is called '${name}'.`, 'claude-net members lists all.')
}
