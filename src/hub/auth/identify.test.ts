import { expect, test } from 'vitest'
import { FollowedHub } from '../../../test/support/followed-hub.ts'
import { hashJoinCode } from '../../protocol/join-code.ts'
import { hashToken, mintToken, parseToken } from '../../protocol/token.ts'
import type { Command } from '../state/commands.ts'
import { Identities } from './identify.ts'

/** Starts a hub with the machine ana; `authorization` has its token. */
async function start() {
  const followed = new FollowedHub()
  const { hub } = followed
  const join = async (name: string, overlapS = 0) => {
    const token = mintToken('machine')
    const codeHash = hashJoinCode(token).toString('base64')
    await hub.submit({ type: 'member.invite', name, kind: 'machine', codeHash, lifeS: 600, overlapS })
    const tokenHash = hashToken(token).toString('base64')
    await hub.submit({
      type: 'member.join',
      name,
      codeHash,
      tokenId: parseToken(token)!.id,
      tokenHash,
      role: 'machine',
    })
    return `Bearer ${token}`
  }
  return { followed, hub, join, authorization: await join('ana') }
}

test.for<{ command: Command; name?: string }>([
  { command: { type: 'member.revoke', name: 'ana' } },
  { command: { type: 'member.delete', name: 'ana' } },
  { command: { type: 'member.rename', name: 'ana', to: 'eve' }, name: 'eve' },
])(
  'after $command.type no request is identified as before, not even one that arrived during the commit',
  async ({ command, name }) => {
    const { hub, authorization } = await start()
    const identified: (string | undefined)[] = []
    const identities = new Identities(hub)
    const ask = () => {
      try {
        return identities.of(authorization).name
      } catch {
        return undefined
      }
    }
    expect(ask()).toBe('ana')
    // One request arrives when the entry is committed, another when listeners are notified of it.
    hub.onRevoked(() => identified.push(ask()))
    const submitted = hub.submit(command)
    expect(ask()).toBe('ana')
    await submitted
    expect(ask()).toBe(name)
    expect(identified).toEqual([name])
  },
)

test('a token is verified by its secret; its id, which appears in logs, proves nothing', async () => {
  const { hub, authorization } = await start()
  const identities = new Identities(hub)
  const [, , id, secret] = authorization.split('_') as [string, string, string, string]
  const other = secret.replace(/^./, first => (first === 'x' ? 'y' : 'x'))
  const forged = withChecksum(`clnt_m_${id}_${other}`)
  expect(withChecksum(`clnt_m_${id}_${secret}`)).toBe(authorization.slice('Bearer '.length))
  expect(() => identities.of(`Bearer ${forged}`)).toThrow('not, or no longer, valid')
  expect(identities.of(authorization).name).toBe('ana')
  expect(() => identities.of(`Bearer ${forged}`)).toThrow('not, or no longer, valid')
})

/** Returns a token with a correct checksum, as anyone can make one. */
function withChecksum(head: string): string {
  const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  let value = hashToken(head).readUInt32BE()
  let sum = ''
  for (let place = 0; place < 6; place++) {
    sum = digits[value % 62] + sum
    value = Math.floor(value / 62)
  }
  return `${head}_${sum}`
}

test('a replaced token becomes invalid at once, or at the end of its overlap', async () => {
  const { followed, hub, join, authorization } = await start()
  const identities = new Identities(hub)
  expect(identities.of(authorization).name).toBe('ana')
  const second = await join('ana')
  expect(() => identities.of(authorization)).toThrow('no longer')
  const third = await join('ana', 60)
  expect([identities.of(second).name, identities.of(third).name]).toEqual(['ana', 'ana'])
  followed.now += 61_000
  await hub.submit({ type: 'clock.tick' })
  expect(() => identities.of(second)).toThrow('no longer')
  expect(identities.of(third).name).toBe('ana')
})

test('a cached identity is read again once the limit or the addresses of its token have changed', async () => {
  const { hub, authorization } = await start()
  const identities = new Identities(hub)
  expect(identities.of(authorization)).toMatchObject({ name: 'ana' })
  await hub.submit({ type: 'member.bind', name: 'ana', ranges: ['10.0.0.0/8'] })
  expect(identities.of(authorization).boundTo?.has('10.1.2.3')).toBe(true)
  await hub.submit({ type: 'member.bind', name: 'ana', ranges: [] })
  expect(identities.of(authorization).boundTo).toBeUndefined()
  await hub.submit({ type: 'token.limit', days: 30 })
  expect(identities.of(authorization).renewFrom).toBeGreaterThan(0)
})
