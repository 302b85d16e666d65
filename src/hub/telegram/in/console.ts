import { linkLifeS } from '../../../protocol/console.ts'
import { linkFragment } from '../../../protocol/console-header.ts'
import { hashConsoleSecret, newConsoleSecret } from '../../../protocol/console-secret.ts'
import { html } from '../html.ts'
import type { Context, Received } from './context.ts'
import type { Reply } from './send.ts'

/** Recorded in place of a token's id: the link was requested on Telegram. */
const via = 'telegram'

/**
 * Runs `/console`: sends a link that opens the console once, as the person who asks. Only in a private chat, because anyone who sees it can
 * use it first. The hub stores only the hash of its secret.
 */
export async function openConsole(
  { hub, audit, consoleUrl }: Context,
  { person, isPrivate }: Received,
): Promise<Reply> {
  if (!isPrivate)
    return { sign: 'unclear', text: html`Ask me in a private chat: whoever sees the link first gets in as you.` }
  const url = consoleUrl()
  if (url === undefined) {
    return {
      sign: 'unclear',
      text: html`I do not know at which address your browser reaches the hub. An admin says so in hub.json: <code>"url": "https://…"</code>`,
    }
  }
  const secret = newConsoleSecret()
  const hash = hashConsoleSecret(secret).toString('base64')
  await hub.submit({ type: 'console.link', member: person.member, via, hash, lifeS: linkLifeS })
  const noLine = { tokenId: null, address: via, detail: null }
  audit.add({ ...noLine, actor: person.name, action: 'consoleLink', target: person.name, result: 'ok' })
  return {
    text: html`${url}/${linkFragment}${secret}\n\nIt opens the console as ${person.name}, once, within ${linkLifeS / 60} minutes. Do not share it.`,
  }
}
