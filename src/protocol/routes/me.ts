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

/** The list of members, and a member's own policy, token and reports. */
export const meRoutes = {
  listMachines: route({
    method: 'GET',
    path: '/v1/machines',
    summary:
      'List every member and its presence; with=mail also unread counts and open requests of members whose messages the caller may see',
    audience: anyToken,
    query: z.strictObject({ with: z.literal('mail').optional() }),
    answer: MembersAnswer,
  }),
  putPolicy: route({
    method: 'PUT',
    path: '/v1/me',
    summary: "Set the caller's policy for messages; absent fields are unchanged",
    audience: members,
    body: PolicyRequest,
    answer: PolicyAnswer,
  }),
  getMemberPolicy: route({
    method: 'GET',
    path: '/v1/members/:name/policy',
    summary: "A member's policy for messages: for itself, its owner, and an admin",
    audience: anyToken,
    params: MemberNamed,
    answer: PolicyAnswer,
  }),
  putMemberPolicy: route({
    method: 'PUT',
    path: '/v1/members/:name/policy',
    summary: 'The same as PUT /v1/me for a machine that the caller owns, or by an admin; absent fields are unchanged',
    audience: anyToken,
    params: MemberNamed,
    body: PolicyRequest,
    answer: PolicyAnswer,
  }),
  renewToken: route({
    method: 'POST',
    path: '/v1/token',
    summary:
      'Replace the calling token by one that the caller has minted and saved; the old one stays valid for the overlap',
    audience: members,
    browser: 'never',
    body: RenewRequest,
    answer: RenewAnswer,
  }),
  reportWrongHub: route({
    method: 'POST',
    path: '/v1/wrong-hubs',
    summary: 'Report that something else responded in place of the hub and received nothing; recorded in the audit',
    audience: members,
    browser: 'never',
    body: WrongHubReport,
    answer: z.object({}),
  }),
} as const
