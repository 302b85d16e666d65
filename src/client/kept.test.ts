import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tempDir } from '../../test/support/temp.ts'
import { newMessageId } from '../protocol/ids.ts'
import { idOf, keep, listKept, readKept } from './kept.ts'

test("the sender's project is in the name of a kept file, where a client without projects ignores it", () => {
  const directory = join(tempDir('kept'), 'outbox')
  const request = { id: newMessageId(), to: 'sean/billing', body: 'hello', fromProject: 'web-shop' }
  keep(directory, request)
  keep(directory, { ...request, id: newMessageId(), fromProject: undefined })
  const [first, second] = listKept(directory)
  expect(first).toBe(`000000000001-${request.id}@web-shop.json`)
  expect(idOf(first!)).toBe(request.id)
  expect(JSON.parse(readFileSync(join(directory, first!), 'utf8'))).toEqual({
    id: request.id,
    to: 'sean/billing',
    body: 'hello',
  })
  expect(readKept(directory, first!)?.request).toEqual(request)
  expect(readKept(directory, second!)?.request).not.toHaveProperty('fromProject')
})
