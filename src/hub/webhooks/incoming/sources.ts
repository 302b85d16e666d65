import type { WebhookSource } from '../../../protocol/webhooks.ts'
import { alertmanager } from './alertmanager.ts'
import type { Source } from './event.ts'
import { generic } from './generic.ts'
import { github } from './github.ts'
import { gitlab } from './gitlab.ts'

/** The supported sources. */
export const sources: Record<WebhookSource, Source> = { github, gitlab, alertmanager, generic }
