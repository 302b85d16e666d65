import { ClaudeNetError } from '../../protocol/errors.ts'
import type { HubKey } from '../../protocol/hub-key.ts'
import { hashJoinCode, joinCodeLifeS, mintJoinCode } from '../../protocol/join-code.ts'
import type { InviteAnswer } from '../../protocol/members.ts'
import type { Hub } from '../hub.ts'
import type { CommandOf } from '../state/commands.ts'
import { memberByName } from '../state/query/find-member.ts'
import { allGroups } from '../state/query/members.ts'
import { timestamp } from '../state/timestamp.ts'
import type { Handlers } from './handler.ts'

/** Overlap of the old token after a rotation, in seconds: time to restart the running sessions. */
const rotationOverlapS = 600

/** `POST /v1/admin/invites`. */
export function invite(hubKey: () => HubKey | undefined): Handlers['invite'] {
  return async ({ hub, body, reply }) => {
    const { name, kind, owner, from } = body
    const made = await newCode(hub, { name, kind, owner })
    // Bound before the code is returned.
    if (from !== undefined) await hub.submit({ type: 'member.bind', name, ranges: from })
    reply.code(201)
    return { ...made, hubKey: hubKey() }
  }
}

/** `PUT /v1/admin/members/:name/from`. */
export const bindMember: Handlers['bindMember'] = ({ hub, params, body }) =>
  hub.submit({ type: 'member.bind', name: params.name, ranges: body.ranges })

/** `POST /v1/admin/members/:name/rotate`. */
export function rotateMember(hubKey: () => HubKey | undefined): Handlers['rotateMember'] {
  return async ({ hub, params, reply }) => {
    const member = memberByName(hub.state.db, params.name)
    if (!member)
      throw new ClaudeNetError('not_found', `No member is called '${params.name}'.`, 'claude-net members lists all.')
    if (member.kind === 'service') {
      throw new ClaudeNetError(
        'invalid',
        `${member.name} is a service and has no token; its webhook has a URL and a signing secret.`,
        `For new ones: claude-net webhook rotate ${member.name}`,
      )
    }
    reply.code(201)
    const code = await newCode(hub, { name: member.name, kind: member.kind, overlapS: rotationOverlapS })
    return { ...code, hubKey: hubKey() }
  }
}

/** `PUT /v1/admin/members/:name`. */
export const putMember: Handlers['putMember'] = async ({ hub, params, body }) => {
  const known = memberByName(hub.state.db, params.name)
  const kind = body.kind ?? (known?.kind === 'human' ? 'human' : 'machine')
  return hub.submit({ type: 'member.add', name: params.name, kind, owner: body.owner })
}

export const deleteMember: Handlers['deleteMember'] = ({ hub, params }) =>
  hub.submit({ type: 'member.delete', name: params.name })

export const renameMember: Handlers['renameMember'] = ({ hub, params, body }) =>
  hub.submit({ type: 'member.rename', name: params.name, to: body.to })

export const revokeMember: Handlers['revokeMember'] = ({ hub, params }) =>
  hub.submit({ type: 'member.revoke', name: params.name })

export const putAlias: Handlers['putAlias'] = ({ hub, params, body }) =>
  hub.submit({ type: 'alias.set', alias: params.name, member: body.member })

export const deleteAlias: Handlers['deleteAlias'] = ({ hub, params }) =>
  hub.submit({ type: 'alias.remove', alias: params.name })

export const liftBrake: Handlers['liftBrake'] = ({ hub, params, body }) =>
  hub.submit({ type: 'pair.release', one: params.name, other: body.member })

export const listGroups: Handlers['listGroups'] = ({ hub }) => ({ groups: allGroups(hub.state.db) })

export const putGroup: Handlers['putGroup'] = ({ hub, params, body }) =>
  hub.submit({ type: 'group.set', group: params.name, members: body.members })

export const deleteGroup: Handlers['deleteGroup'] = ({ hub, params }) =>
  hub.submit({ type: 'group.remove', group: params.name })

/** `POST /v1/admin/import`. */
export const importOrganization: Handlers['importOrganization'] = ({ hub, body: { humans, machines, groups } }) =>
  hub.submit({
    type: 'organization.import',
    members: [
      ...Object.keys(humans).map(name => ({ name, kind: 'human' as const })),
      ...Object.entries(machines).map(([name, { owner }]) => ({ name, kind: 'machine' as const, owner })),
    ],
    aliases: Object.entries({ ...humans, ...machines }).flatMap(([member, { aliases }]) =>
      aliases.map(alias => ({ alias, member })),
    ),
    groups: Object.entries(groups).map(([group, members]) => ({ group, members })),
  })

/** Makes a new code, which is returned only here; the hub stores its hash. */
async function newCode(
  hub: Hub,
  of: Pick<CommandOf<'member.invite'>, 'name' | 'kind' | 'owner' | 'overlapS'>,
): Promise<InviteAnswer> {
  const code = mintJoinCode()
  const { name, expiresAt, renewed } = await hub.submit({
    type: 'member.invite',
    ...of,
    codeHash: hashJoinCode(code).toString('base64'),
    lifeS: joinCodeLifeS,
  })
  return { code, name, expiresAt: timestamp(expiresAt), renewed }
}
