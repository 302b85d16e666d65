import * as z from 'zod'
import {
  MemberNamed,
  MembersAnswer,
  PolicyAnswer,
  PolicyRequest,
  RenewAnswer,
  RenewRequest,
  WrongHubReport,
} from '../members.ts'
import { anyToken, members, route } from './route.ts'

/** Members, and what a member says of itself. */
export const meRoutes = {
  listMachines: route({
    method: 'GET',
    path: '/v1/machines',
    summary: 'Every member and who is online; with=mail also the mail of those whose mail the caller may see',
    audience: anyToken,
    query: z.strictObject({ with: z.literal('mail').optional() }),
    answer: MembersAnswer,
  }),
  putPolicy: route({
    method: 'PUT',
    path: '/v1/me',
    summary: 'What the caller does with mail; what is left out stays',
    audience: members,
    body: PolicyRequest,
    answer: PolicyAnswer,
  }),
  getMemberPolicy: route({
    method: 'GET',
    path: '/v1/members/:name/policy',
    summary: 'What a member does with mail: for itself, the person who owns it, and an admin',
    audience: anyToken,
    params: MemberNamed,
    answer: PolicyAnswer,
  }),
  putMemberPolicy: route({
    method: 'PUT',
    path: '/v1/members/:name/policy',
    summary: 'The same as PUT /v1/me, for a machine that the caller owns, or by an admin; what is left out stays',
    audience: anyToken,
    params: MemberNamed,
    body: PolicyRequest,
    answer: PolicyAnswer,
  }),
  renewToken: route({
    method: 'POST',
    path: '/v1/token',
    summary:
      'Put a token that the caller has minted and saved in the place of the one that asks, which goes on for a while',
    audience: members,
    browser: 'never',
    body: RenewRequest,
    answer: RenewAnswer,
  }),
  reportWrongHub: route({
    method: 'POST',
    path: '/v1/wrong-hubs',
    summary: "Something else answered in the hub's place and was told nothing; the hub notes it in its audit",
    audience: members,
    browser: 'never',
    body: WrongHubReport,
    answer: z.object({}),
  }),
} as const
