import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { api } from './api.ts'
import type { Route } from './routes/route.ts'

test('no two files of routes have the same key, method and path', async () => {
  const directory = new URL('routes/', import.meta.url)
  const files = readdirSync(directory).filter(name => name !== 'route.ts')
  const tables = await Promise.all(
    files.map(async name => Object.values((await import(new URL(name, directory).href)) as object)),
  )
  const keys = tables.flat().flatMap(table => Object.keys(table as Record<string, Route>))
  expect(keys.sort()).toEqual(Object.keys(api).sort())
  const calls = Object.values(api).map(({ method, path }) => `${method} ${path.replace(/:\w+/g, ':')}`)
  expect(new Set(calls).size).toBe(calls.length)
})
