import * as z from 'zod'
import { MembersAnswer, PolicyAnswer, PolicyRequest, RenewAnswer, RenewRequest, WrongHubReport } from '../members.ts'
import { anyToken, members, route } from './route.ts'

/** Members, and what a member says of itself. */
export const meRoutes = {
  listMachines: route({
    method: 'GET',
    path: '/v1/machines',
    summary: 'Every member and who is online',
    audience: anyToken,
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
  renewToken: route({
    method: 'POST',
    path: '/v1/token',
    summary:
      'Put a token that the caller has minted and saved in the place of the one that asks, which goes on for a while',
    audience: members,
    body: RenewRequest,
    answer: RenewAnswer,
  }),
  reportWrongHub: route({
    method: 'POST',
    path: '/v1/wrong-hubs',
    summary: "Something else answered in the hub's place and was told nothing; the hub notes it in its audit",
    audience: members,
    body: WrongHubReport,
    answer: z.object({}),
  }),
} as const
