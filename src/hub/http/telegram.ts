import { ClaudeNetError } from '../../protocol/errors.ts'
import type { TelegramStatus } from '../../protocol/telegram.ts'
import type { TelegramAdmin } from '../telegram-admin.ts'
import type { Handlers } from './handler.ts'

const none: TelegramStatus = {
  configured: false,
  bot: null,
  chatId: null,
  lastPollAt: null,
  trouble: null,
  toldToWait: 0,
  people: [],
  failed: [],
}

/** Handlers with which the admin manages the bridge to Telegram; `bridge` is undefined for a hub without one. */
export function telegramRoutes(
  bridge: TelegramAdmin | undefined,
): Pick<Handlers, 'telegramStatus' | 'telegramCheck' | 'telegramConfirm'> {
  return {
    telegramStatus: () => bridge?.status() ?? none,
    telegramCheck: async () => ({
      checks: bridge
        ? await bridge.check()
        : [
            {
              link: 'hub.json',
              state: 'failed',
              found: 'this hub was started without the field telegram',
              mend: 'docs/telegram.md describes the setup, beginning with @BotFather.',
            },
          ],
    }),
    telegramConfirm: ({ params, body }) => {
      if (bridge) return bridge.confirm(params.name, body.userId)
      throw new ClaudeNetError('not_found', 'This hub has no Telegram.', 'docs/telegram.md describes the setup.')
    },
  }
}
