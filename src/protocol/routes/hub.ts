import * as z from 'zod'
import { ProofAnswer, ProofRequest } from '../hub-proof.ts'
import { KeyChain } from '../key-chain.ts'
import { route } from './route.ts'

/** What the hub says of itself to everyone. */
export const hubRoutes = {
  health: route({
    method: 'GET',
    path: '/healthz',
    summary: 'The program runs',
    audience: 'public',
    answer: z.object({
      ok: z.literal(true),
      program: z.literal('claude-net'),
      version: z.string(),
      // Absent in hubs from before there was a second client.
      protocol: z.number().int().optional(),
      oldestProtocol: z.number().int().optional(),
    }),
  }),
  ready: route({
    method: 'GET',
    path: '/readyz',
    summary: 'The store accepts writes',
    audience: 'public',
    answer: z.object({ ready: z.literal(true) }),
  }),
  metrics: route({
    method: 'GET',
    path: '/metrics',
    summary: 'What an operator watches, in the text format of Prometheus; counts by member only with a token',
    audience: 'public',
    takesToken: true,
    answer: 'text/plain; version=0.0.4; charset=utf-8',
  }),
  openapi: route({
    method: 'GET',
    path: '/openapi.json',
    summary: 'This contract, as OpenAPI 3.1',
    audience: 'public',
    answer: z.looseObject({ openapi: z.string() }),
  }),
  hubKey: route({
    method: 'GET',
    path: '/hub-key.json',
    summary: "The hub's key, and the signed chain that leads to it from earlier ones",
    audience: 'public',
    answer: KeyChain,
  }),
  proveHub: route({
    method: 'POST',
    path: '/v1/proof',
    summary: 'Over TLS: the hub shows to the holder of a token, without being shown it, that it knows that token',
    audience: 'public',
    body: ProofRequest,
    answer: ProofAnswer,
  }),
} as const
