import { visible } from '../../text/visible.ts'
import { formatted } from './code.ts'
import { type Html, html } from './html.ts'
import { maskSecrets } from './mask.ts'
import { splitText } from './split.ts'

/** A text as people may see it: what hides made visible, what looks like a credential withheld. */
export function safeText(body: string): string {
  return visible(maskSecrets(body))
}

/** `text` behind a bar, so that no text can end itself or pass for a heading of ours. */
export function quoted(text: string | Html): Html {
  return html`<blockquote>${text}</blockquote>`
}

/** The beginning of a text, at most `max` UTF-16 units, behind a bar, with code as code. */
export function quotedBeginning(text: string, max: number): Html {
  if (text.length <= max) return quoted(formatted(text))
  const [shown] = splitText(text, max) as [string]
  const end = shown.trimEnd().length
  return quoted(html`${formatted(text, 0, end)}… (${text.length - shown.length} more characters)`)
}
