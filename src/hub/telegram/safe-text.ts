import { visible } from '../../text/visible.ts'
import { formatted } from './code.ts'
import { type Html, html } from './html.ts'
import { maskSecrets } from './mask.ts'
import { splitText } from './split.ts'

/** Returns a text as it may be shown to people: hidden characters made visible, likely credentials masked. */
export function safeText(body: string): string {
  return visible(maskSecrets(body))
}

/** Returns `text` as a block quote, which no text can end or disguise as a heading of ours. */
export function quoted(text: string | Html): Html {
  return html`<blockquote>${text}</blockquote>`
}

/** Returns the beginning of a text, at most `max` UTF-16 units, as a block quote with code formatted. */
export function quotedBeginning(text: string, max: number): Html {
  if (text.length <= max) return quoted(formatted(text))
  const [shown] = splitText(text, max) as [string]
  const end = shown.trimEnd().length
  return quoted(html`${formatted(text, 0, end)}… (${text.length - shown.length} more characters)`)
}
