import * as z from 'zod'
import { ProofAnswer, ProofRequest } from '../hub-proof.ts'
import { KeyChain } from '../key-chain.ts'
import { route } from './route.ts'

/** Public information about the hub. */
export const hubRoutes = {
  health: route({
    method: 'GET',
    path: '/healthz',
    summary: 'Report that the program runs',
    audience: 'public',
    answer: z.object({
      ok: z.literal(true),
      program: z.literal('claude-net'),
      version: z.string(),
      // Absent from hubs older than the second client.
      protocol: z.number().int().optional(),
      oldestProtocol: z.number().int().optional(),
    }),
  }),
  ready: route({
    method: 'GET',
    path: '/readyz',
    summary: 'Report whether the store accepts writes',
    audience: 'public',
    answer: z.object({ ready: z.literal(true) }),
  }),
  metrics: route({
    method: 'GET',
    path: '/metrics',
    summary: 'Metrics in the text format of Prometheus; counts by member only with a token',
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
    summary: "The hub's key and the signed chain of keys from its earlier ones",
    audience: 'public',
    answer: KeyChain,
  }),
  proveHub: route({
    method: 'POST',
    path: '/v1/proof',
    summary: 'Over TLS: prove to the holder of a token, without receiving it, that the hub knows that token',
    audience: 'public',
    body: ProofRequest,
    answer: ProofAnswer,
  }),
} as const
