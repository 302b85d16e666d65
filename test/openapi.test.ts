import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { openApi } from '../src/protocol/openapi.ts'
import type { Route } from '../src/protocol/routes/route.ts'
import { startHub } from './support/hub.ts'
import { raw } from './support/raw.ts'

interface Operation {
  operationId: string
  summary: string
  security: Record<string, string[]>[]
  parameters: { name: string; in: string; required: boolean; schema: Record<string, unknown> }[]
  requestBody?: { content: Record<string, { schema: object }> }
  responses: Record<string, { content: Record<string, { schema: object }> }>
}

interface Contract {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, object> }
}

const contract = openApi() as unknown as Contract

function operationOf({ method, path }: Route): Operation {
  return contract.paths[path.replaceAll(/:(\w+)/g, '{$1}')]![method.toLowerCase()]!
}

test('the contract is valid OpenAPI 3.1', async () => {
  const validator = new Validator()
  const result = await validator.validate(openApi())
  expect(result.errors).toBeUndefined()
  expect(result.valid).toBe(true)
  expect(validator.version).toBe('3.1')
  // Not covered by the schema of OpenAPI: each placeholder of a path is declared, and operations have unique names.
  const operations = Object.entries(contract.paths).flatMap(([path, item]) =>
    Object.values(item).map(operation => ({ path, operation })),
  )
  for (const { path, operation } of operations) {
    const placeholders = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    const declared = operation.parameters.filter(parameter => parameter.in === 'path')
    expect(declared.map(({ name }) => name)).toEqual(placeholders)
    expect(declared.every(({ required }) => required)).toBe(true)
  }
  expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length)
})

test('the contract has exactly the routes of the table', () => {
  const described = Object.entries(contract.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, { operationId }]) => `${operationId}: ${method.toUpperCase()} ${path}`),
  )
  const routes = Object.entries(api).map(
    ([name, { method, path }]) => `${name}: ${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`,
  )
  expect(described.sort()).toEqual(routes.sort())
})

test('callers, requests and responses of each route in the contract equal those of the table', () => {
  for (const [name, route] of Object.entries(api) as [string, Route][]) {
    const { security, parameters, requestBody, responses } = operationOf(route)
    if (route.audience === 'public') expect(security, name).toEqual(route.takesToken ? [{}, { token: [] }] : [])
    else {
      const { browser, audience } = route
      const tokens = browser === 'only' ? [] : audience.map(role => ({ token: [role] }))
      const sessions = browser === 'never' ? [] : audience.map(role => ({ cookie: [role], tab: [role] }))
      expect(security, name).toEqual([...tokens, ...sessions])
    }
    const fields = [route.params, route.query].flatMap(part =>
      Object.keys((part as unknown as { shape: object }).shape),
    )
    expect(parameters.map(parameter => parameter.name).sort(), name).toEqual(fields.sort())
    expect(requestBody !== undefined, name).toBe(route.body.type !== 'undefined')
    expect(responses['403'], name).toBeDefined()
    expect(responses['401'] !== undefined || route.audience === 'public', name).toBe(true)
  }
})

test('the hub serves this contract, and its real responses conform to it', async () => {
  const hub = await startHub()
  expect((await raw(hub, { path: '/openapi.json' })).json).toEqual(openApi())

  const [alpha, beta] = [await hub.join('alpha'), await hub.join('beta')]
  const sent = await raw(hub, { path: '/v1/messages', token: alpha.token, body: { to: 'beta', body: 'hello' } })
  const { id } = sent.json as { id: string }
  const admin = hub.adminToken
  const answers: [Route, Awaited<ReturnType<typeof raw>>][] = [
    [api.sendMessage, sent],
    [api.sendMessage, await raw(hub, { path: '/v1/messages', token: alpha.token, body: { to: 'b', body: 'x' } })],
    [api.sendMessage, await raw(hub, { path: '/v1/messages', token: alpha.token, body: {} })],
    [api.getMessage, await raw(hub, { path: `/v1/messages/${id}`, token: alpha.token })],
    [api.listMessages, await raw(hub, { path: '/v1/messages', token: beta.token })],
    [api.readInbox, await raw(hub, { path: '/v1/inbox', token: beta.token })],
    [api.readInbox, await raw(hub, { path: '/v1/inbox' })],
    [api.ackInbox, await raw(hub, { path: '/v1/inbox/ack', token: beta.token, body: { ids: [id] } })],
    [api.heartbeat, await raw(hub, { path: '/v1/presence', token: beta.token, body: { session: 's', client: 'c' } })],
    [api.listMachines, await raw(hub, { path: '/v1/machines', token: beta.token })],
    [api.health, await raw(hub, { path: '/healthz' })],
    [api.openapi, await raw(hub, { path: '/openapi.json' })],
    [api.invite, await raw(hub, { path: '/v1/admin/invites', token: admin, body: { name: 'gamma' } })],
    [api.invite, await raw(hub, { path: '/v1/admin/invites', token: beta.token, body: { name: 'gamma' } })],
    [api.rotateMember, await raw(hub, { path: '/v1/admin/members/beta/rotate', token: admin, method: 'POST' })],
    [api.listMembers, await raw(hub, { path: '/v1/admin/members', token: admin })],
    [api.listAudit, await raw(hub, { path: '/v1/admin/audit', token: admin })],
  ]
  const ajv = new Ajv2020({ strict: false })
  addFormats.default(ajv)
  ajv.addSchema({ $id: 'contract', ...(openApi() as object) })
  for (const [route, { status, json }] of answers) {
    const { operationId, responses } = operationOf(route)
    const described = responses[status]
    expect(described, `${operationId} answered ${status}`).toBeDefined()
    const text = JSON.stringify(described!.content['application/json']!.schema).replaceAll('"#/', '"contract#/')
    const matches = ajv.compile(JSON.parse(text))
    expect(matches(json), `${operationId} ${status}: ${ajv.errorsText(matches.errors)}`).toBe(true)
  }
})
