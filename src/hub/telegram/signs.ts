import type { Emoji } from './bot.ts'

/** Reactions that the bot sets on a person's message, by their meaning. Telegram allows a fixed list of emoji, and bots one of them. */
export const signs = { stored: '👀', acked: '👍', unclear: '🤔', failed: '😱' } as const satisfies Record<string, Emoji>

export type Sign = keyof typeof signs
