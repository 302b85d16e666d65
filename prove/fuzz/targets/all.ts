import type { Target } from '../target.ts'
import { backups } from './backups.ts'
import { config } from './config.ts'
import { door } from './door.ts'
import { etcd } from './etcd.ts'
import { events } from './events.ts'
import { hooks } from './hooks.ts'
import { packs } from './packs.ts'
import { requests } from './requests.ts'
import { statusLines } from './status-lines.ts'
import { telegram } from './telegram.ts'
import { webhooks } from './webhooks.ts'

/** All targets, in the order in which they run. */
export const targets: readonly Target[] = [
  ...[door, requests, events, webhooks, telegram],
  ...[hooks, statusLines, config],
  ...[packs, etcd, backups],
]
