import { expect, test } from 'vitest'
import { ProjectSights } from './project-sights.ts'

const dayMs = 24 * 3600_000

function start(known: Record<string, number> = {}) {
  const clock = { wall: 5_000_000, steady: 1_000_000_000 }
  const told: string[] = []
  let fails = false
  const sights = new ProjectSights({
    now: () => clock.wall,
    steady: () => clock.steady,
    toldAt: (_, project) => known[project],
    tell: async (member, project) => {
      if (fails) throw new Error('the disk is full')
      told.push(`${member} ${project}`)
    },
  })
  return { clock, told, sights, failing: (does: boolean) => (fails = does) }
}

test('a project is recorded at its first heartbeat and then once a day, however many sessions there are', async () => {
  const { clock, told, sights } = start()
  await Promise.all([sights.saw(1, 'shop'), sights.saw(1, 'shop'), sights.saw(2, 'shop'), sights.saw(1, 'web')])
  expect(told).toEqual(['1 shop', '2 shop', '1 web'])
  clock.steady += dayMs - 1
  clock.wall += 7
  expect(sights.saw(1, 'shop')).toBeUndefined()
  expect(sights.lastSeen(1, 'shop')).toBe(clock.wall)
  clock.steady += 1
  await sights.saw(1, 'shop')
  expect(told).toEqual(['1 shop', '2 shop', '1 web', '1 shop'])
})

test('a project that was recorded before a restart is not recorded again that day', async () => {
  const { clock, told, sights } = start({ shop: 1_000_000_000 - dayMs + 10, web: 1_000_000_000 - dayMs })
  expect(sights.saw(1, 'shop')).toBeUndefined()
  await sights.saw(1, 'web')
  expect(told).toEqual(['1 web'])
  clock.steady += 10
  await sights.saw(1, 'shop')
  expect(told).toEqual(['1 web', '1 shop'])
})

test('a recording that failed is retried with the next heartbeat', async () => {
  const { told, sights, failing } = start()
  failing(true)
  await sights.saw(1, 'shop')
  failing(false)
  await sights.saw(1, 'shop')
  expect(told).toEqual(['1 shop'])
})

test('the number of projects of one machine is bounded', async () => {
  const { clock, told, sights } = start()
  for (let n = 0; n < 1000; n++) await sights.saw(1, `p${n}`)
  expect(told).toHaveLength(400)
  await sights.saw(2, 'shop')
  expect(told).toHaveLength(401)
  clock.steady += dayMs
  await sights.saw(1, 'p999')
  expect(told.at(-1)).toBe('1 p999')
})

test('only times that changed since the last call are to be saved', async () => {
  const { clock, sights } = start()
  await sights.saw(1, 'shop')
  await sights.saw(1, 'web')
  expect(sights.takeUnsaved()).toHaveLength(2)
  clock.wall += 1000
  await sights.saw(1, 'web')
  expect(sights.takeUnsaved()).toEqual([{ member: 1, project: 'web', at: clock.wall }])
})
