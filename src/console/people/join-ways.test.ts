import { describe, expect, test } from 'vitest'
import { joinAddresses, joinLineOf } from './join-ways.ts'

const code = 'AAAA-BBBB-CCCC-DDDD'
const hubKey = `sha256//${'A'.repeat(43)}=`
const known = { port: 3500, addresses: [], url: undefined, here: 'http://127.0.0.1:3500' }

describe('the suggested addresses', () => {
  test('are those of the hub, then that of hub.json, then that of this page, each once', () => {
    const addresses = [
      { origin: 'http://10.0.3.1:3500', isTrusted: true },
      { origin: 'http://203.0.113.7:3500', isTrusted: false },
    ]
    const found = joinAddresses({ ...known, addresses, url: 'https://hub.example.org/', here: 'http://10.0.3.1:3500' })
    expect(found.map(({ origin }) => origin)).toEqual([
      'http://10.0.3.1:3500',
      'https://hub.example.org',
      'http://203.0.113.7:3500',
    ])
  })

  test('warn about one at which the hub would refuse a machine', () => {
    const addresses = [{ origin: 'http://203.0.113.7:3500', isTrusted: false }]
    const [first, last] = joinAddresses({ ...known, addresses, url: 'https://hub.example.org' })
    expect(first).not.toHaveProperty('warning')
    expect(last).toMatchObject({ origin: 'http://203.0.113.7:3500', warning: expect.stringContaining('refused') })
  })

  test('are those of the host of the hub if it listens there only', () => {
    const alone = [{ origin: 'http://127.0.0.1:3500', warning: expect.stringContaining('only from its own host') }]
    expect(joinAddresses(known)).toMatchObject(alone)
    expect(joinAddresses({ ...known, here: 'http://localhost:4000' })).toMatchObject(alone)
    expect(joinAddresses({ ...known, port: null })).toEqual([])
  })
})

describe('the join line', () => {
  const line = (choice: Partial<Parameters<typeof joinLineOf>[1]>, port: number | null = 3500) =>
    joinLineOf({ code, hubKey }, { address: '', via: '', plain: false, ...choice }, port)

  test('pins the key of the hub, and accepts a typed address', () => {
    const pinned = { pins: true, command: expect.stringContaining(`pinnedpubkey="${hubKey}"`) }
    expect(line({ address: ' http://10.0.3.1:3500/ ' })).toEqual(pinned)
    expect(line({ address: 'https://10.0.3.1:3500' })).toEqual(pinned)
    expect(line({ address: 'https://hub.example.org' })).toMatchObject({ pins: false })
    expect(line({ address: 'http://10.0.3.1:3500', plain: true })).toMatchObject({ pins: false })
  })

  test('goes through ssh to the default address there, unless another is typed', () => {
    expect(line({ via: 'ovh5' })).toMatchObject({
      command: expect.stringContaining('url="https://localhost:3500/join/'),
    })
    expect(line({ via: 'me@ovh5', address: 'http://localhost:4000' })).toMatchObject({
      command: expect.stringMatching(/localhost:4000.* me@ovh5 /),
    })
    expect(line({ via: 'ovh5', address: 'https://hub.example.org' })).toMatchObject({ wrong: 'address' })
  })

  test.each([
    ['', ''],
    ['hub', ''],
    ['ftp://hub', ''],
    ['http://hub/path', ''],
    ['http://me@hub', ''],
    ["http://hub'$(id)", ''],
    ['javascript:alert(1)', ''],
    ['http://hub', '-oProxyCommand=id'],
    ['http://hub', 'host; id'],
    ['http://hub', "host'"],
    ['http://hub', 'local'],
  ])('is not made of the address %j by ssh %j', (address, via) => {
    expect(line({ address, via })).toMatchObject({ wrong: via === '' ? 'address' : 'via' })
  })
})
