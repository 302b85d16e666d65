import type { Target } from '../target.ts'
import { door } from './door.ts'
import { events } from './events.ts'
import { requests } from './requests.ts'
import { webhooks } from './webhooks.ts'

/** Everything that is fuzzed, in the order in which it is. */
export const targets: readonly Target[] = [door, requests, events, webhooks]
