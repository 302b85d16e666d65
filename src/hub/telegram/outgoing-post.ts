import type { Post } from './bot.ts'

/** A Telegram message to send to a chat, and what follows from its outcome. */
export interface OutgoingPost {
  post: Post
  /** Called once Telegram has accepted it, with the ids of the chat and of the message there. Resolves once that is on disk. */
  accepted?: (chat: number, message: number) => Promise<void>
  /** Called when Telegram will never accept it. */
  refused?: (why: string) => Promise<void>
}
