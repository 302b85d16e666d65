import { consoleRoutes } from './routes/console.ts'
import { consolePageRoutes } from './routes/console-page.ts'
import { hubRoutes } from './routes/hub.ts'
import { hubsRoutes } from './routes/hubs.ts'
import { inboxRoutes } from './routes/inbox.ts'
import { joiningRoutes } from './routes/joining.ts'
import { keepingRoutes } from './routes/keeping.ts'
import { meRoutes } from './routes/me.ts'
import { membersRoutes } from './routes/members.ts'
import { messagesRoutes } from './routes/messages.ts'
import { outgoingRoutes } from './routes/outgoing.ts'
import { sessionsRoutes } from './routes/sessions.ts'
import { telegramRoutes } from './routes/telegram.ts'
import { viewsRoutes } from './routes/views.ts'
import { webhooksRoutes } from './routes/webhooks.ts'

/** Every route of the hub. Server, client and tests are derived from this table. */
export const api = {
  ...hubRoutes,
  ...hubsRoutes,
  ...joiningRoutes,
  ...messagesRoutes,
  ...inboxRoutes,
  ...sessionsRoutes,
  ...meRoutes,
  ...membersRoutes,
  ...keepingRoutes,
  ...telegramRoutes,
  ...consoleRoutes,
  ...viewsRoutes,
  ...webhooksRoutes,
  ...consolePageRoutes,
  ...outgoingRoutes,
} as const

/** A route by its key in the table. */
export type RouteName = keyof typeof api
