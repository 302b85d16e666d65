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

/** What the admin asks of the bridge to Telegram; of a hub without one too. */
export function telegramRoutes(
  desk: TelegramAdmin | undefined,
): Pick<Handlers, 'telegramStatus' | 'telegramCheck' | 'telegramConfirm'> {
  return {
    telegramStatus: () => desk?.status() ?? none,
    telegramCheck: async () => ({
      checks: desk
        ? await desk.check()
        : [
            {
              link: 'hub.json',
              state: 'failed',
              found: 'this hub was started without the field telegram',
              mend: 'docs/telegram.md says how to set it up, from @BotFather on.',
            },
          ],
    }),
    telegramConfirm: ({ params, body }) => {
      if (desk) return desk.confirm(params.name, body.userId)
      throw new ClaudeNetError('not_found', 'This hub has no Telegram.', 'docs/telegram.md says how to set it up.')
    },
  }
}
