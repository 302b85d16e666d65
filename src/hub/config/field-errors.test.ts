import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tempDir } from '../../../test/support/temp.ts'
import { readHubConfig } from './hub-config.ts'

/** Returns the error message for a hub.json with this text. */
function errorFor(text: string): string {
  const config = join(tempDir('config'), 'hub.json')
  writeFileSync(config, text)
  try {
    readHubConfig({ config })
  } catch (error) {
    return (error as Error).message.replaceAll(config, 'hub.json')
  }
  return 'nothing'
}

test('all errors are reported at once, in the order of the lines, with the nearest known field', () => {
  const text = `{
  "hosts": ["a", 3],
  "limits": {
    "sends": { "perMinute": 1, "burts": 2 },
    "loop": { "messages": "x" }
  },
  "bakcup": { "everyHours": 1 },
  "port": 99999
}`
  expect(errorFor(text)).toBe(
    `hub.json has 5 errors:
  line 2: hosts.1: Invalid input: expected string, received number
  line 4: limits.sends.burts: no such field; did you mean burst?
  line 5: limits.loop.messages: Invalid input: expected number, received string
  line 7: bakcup: no such field; did you mean backup?
  line 8: port: Too big: expected number to be <=65535`,
  )
})

test('a field is reported with its own line despite strings, lists and fields of the same name', () => {
  const text = `{
  "hosts": ["\\"limits\\": {", "b,[{"],
  "trustedProxies": [
    "10.0.0.1",
    "nowhere"
  ],
  "limits": { "reads": { "burst": 5 },
    "sends": {
      "burst": 0 } }
}`
  expect(errorFor(text)).toMatch(
    /^hub\.json has 2 errors:\n {2}line 5: trustedProxies\.1: .*\n {2}line 9: limits\.sends\.burst: /,
  )
})

test('an unknown field that resembles none is reported with the list of fields; a single error takes one line', () => {
  expect(errorFor('{ "timeouts": { "zzzzzzzzzz": 1 } }')).toMatch(
    /^hub\.json: line 1: timeouts\.zzzzzzzzzz: no such field; there are headersMs, .*streamDrainMs/,
  )
  expect(errorFor('{}')).toBe('nothing')
})
