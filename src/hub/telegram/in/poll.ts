import { setTimeout as delay } from 'node:timers/promises'
import { ClaudeNetError } from '../../../protocol/errors.ts'
import type { Hub } from '../../hub.ts'
import type { TelegramUpdate } from '../../state/telegram-commands.ts'
import type { Bot, Update } from '../bot.ts'
import type { BridgeStatus } from '../bridge-status.ts'
import { failureOf, type TelegramFailure } from '../failure.ts'

/** Conflicts with another poller in a row before they are reported: a hub that was restarted meets its previous process once or twice. */
const conflictsBeforeTrouble = 8

export interface PollOptions {
  hub: Hub
  bot: Bot
  status: BridgeStatus
  retryMs: number
  /** Returns the updates to store. Its side effects may happen twice. */
  filter: (updates: Update[]) => Promise<TelegramUpdate[]>
  /** Called once updates are on disk. */
  onStored: () => void
  /** Called when Telegram responds again after a failure. */
  onBack: () => void
  onFailure: (failure: TelegramFailure) => void
}

/**
 * Polls for updates until `stop`. Stores each batch before confirming it to Telegram; if that fails, polls the same batch again. At the
 * start, and after a batch was confirmed, polls without an offset: a repeated update is recognized, and after a week without updates their
 * numbers restart anywhere (core.telegram.org/bots/api#update).
 */
export async function poll(options: PollOptions, stop: AbortSignal): Promise<void> {
  const { hub, bot, status, retryMs, filter, onStored, onBack, onFailure } = options
  let confirm: number | undefined
  let failures = 0
  let conflicts = 0
  while (!stop.aborted) {
    try {
      const updates = await bot.updates(confirm === undefined ? undefined : confirm + 1, stop)
      status.lastPollAt = Date.now()
      status.well('poll')
      if (failures > 0) onBack()
      failures = 0
      conflicts = 0
      confirm = undefined
      if (updates.length === 0) continue
      const kept = await filter(updates)
      if (kept.length > 0) await hub.submit({ type: 'telegram.receive', updates: kept })
      confirm = Math.max(...updates.map(({ update_id }) => update_id))
      onStored()
    } catch (error) {
      if (stop.aborted) return
      failures++
      if (error instanceof ClaudeNetError) {
        status.trouble('poll', `Messages from people cannot be stored: ${error.message}`)
        await pause(retryMs, stop)
        continue
      }
      const failure = failureOf(error, 'getUpdates')
      if (failure.kind === 'conflict') conflicts++
      if (failure.kind !== 'conflict' || conflicts >= conflictsBeforeTrouble) {
        status.trouble('poll', troubleOf(failure))
      }
      onFailure(failure)
      const backOffMs = retryMs * Math.min(10, 2 ** (failures - 1)) * (1 + Math.random() / 5)
      await pause(Math.max(failure.retryAfterMs, backOffMs), stop)
    }
  }
}

function troubleOf({ kind, message }: TelegramFailure): string {
  if (kind !== 'conflict') return message
  return message.includes('webhook')
    ? `${message}: a webhook is set for this bot. claude-net telegram check says more.`
    : `${message}: another program receives this bot's messages. Stop it, or get a new token from BotFather.`
}

async function pause(ms: number, stop: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal: stop }).catch(() => {})
}
