import * as z from 'zod'
import { JoinAnswer, JoinRequest } from '../members.ts'
import { SshHost } from '../ssh-host.ts'
import { route } from './route.ts'

/** Joining as a member, and downloading the client. */
export const joiningRoutes = {
  join: route({
    method: 'POST',
    path: '/v1/join',
    summary: 'Exchange a one-time code for a token that the caller has minted and saved',
    audience: 'public',
    body: JoinRequest,
    answer: JoinAnswer,
  }),
  joinScript: route({
    method: 'GET',
    path: '/join/:code',
    summary: 'The shell script that makes this machine a member; consumes nothing',
    audience: 'public',
    params: z.strictObject({ code: z.string().min(1).max(64) }),
    query: z.strictObject({
      via: SshHost.optional().describe('host that the new machine connects to by ssh to reach the hub'),
    }),
    answer: 'text/x-shellscript; charset=utf-8',
  }),
  clientFile: route({
    method: 'GET',
    path: '/client/claude-net.mjs',
    summary: 'The client, one file',
    audience: 'public',
    answer: 'text/javascript; charset=utf-8',
  }),
  clientInfo: route({
    method: 'GET',
    path: '/client/claude-net.json',
    summary: 'The version, size and SHA-256 of the client, for machines that update',
    audience: 'public',
    answer: z.object({
      version: z.string(),
      bytes: z.number().int(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  }),
} as const
