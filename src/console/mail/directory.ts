import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import type { api } from '../../protocol/api.ts'
import type { AnswerOf } from '../../protocol/routes/route.ts'
import { call } from '../api.ts'
import { onLive } from '../live.ts'

export type Everybody = AnswerOf<(typeof api)['listMachines']>

/** All members and groups of the last response. Undefined before the first. */
export const everybody = signal<Everybody | undefined>(undefined)

let users = 0
let asking: Promise<void> | undefined
let stop: (() => void) | undefined

async function load(): Promise<void> {
  asking ??= (async () => {
    try {
      everybody.value = await call('listMachines')
    } catch {
      // Pages that need more request it themselves, and show why it failed.
    }
    asking = undefined
  })()
  await asking
}

/** Loads `everybody` and keeps it up to date while the component is mounted. */
export function useDirectory(): Everybody | undefined {
  useEffect(() => {
    if (users++ === 0) {
      void load()
      const stops = [
        onLive('members', () => void load()),
        onLive('reset', () => void load()),
        onLive('presence', ({ name, online, lastSeenAt }) => {
          const all = everybody.value
          if (!all) return
          const members = all.members.map(member => (member.name === name ? { ...member, online, lastSeenAt } : member))
          everybody.value = { ...all, members }
        }),
      ]
      stop = () => {
        for (const each of stops) each()
      }
    }
    return () => {
      if (--users > 0) return
      stop?.()
    }
  }, [])
  return everybody.value
}

/** Returns the member with this name or alias. */
export function memberCalled(name: string): Everybody['members'][number] | undefined {
  return everybody.value?.members.find(member => member.name === name || member.aliases.includes(name))
}
