/** The fields of a message that this file needs, in an inbox and in a history. */
interface Shown {
  held?: true
  body: string
}

/** Placeholder for the text of a held message, where an agent would read it. */
export const withheldText =
  'held for your user: the text is shown by the same command in a terminal, not inside Claude Code'

/** Whether this command runs inside Claude Code, whose agent would read what it prints: it sets CLAUDECODE in every shell. */
export function isInsideClaude(env: NodeJS.ProcessEnv = process.env): boolean {
  return Boolean(env.CLAUDECODE || env.CLAUDE_CODE_ENTRYPOINT)
}

/** The message without its text where that is held and an agent reads; else as it is. */
export function withheld<Message extends Shown>(message: Message, isAgent = isInsideClaude()): Message {
  return message.held && isAgent ? { ...message, body: '' } : message
}
