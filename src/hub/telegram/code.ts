import { type Html, html, joined } from './html.ts'

/** A fenced code block (CommonMark, section 4.5), by its offsets in the text. */
interface Block {
  start: number
  end: number
  /** Offsets of its content, without the fences. */
  from: number
  to: number
  language: string
}

const fence = /^ {0,3}(`{3,}|~{3,})[ \t]*([\w+#.-]{0,30})[^\n`]*\n([\s\S]*?)(?:^ {0,3}\1[`~]*[ \t]*$)/gm

/**
 * Returns `text` from `from` to `to` (UTF-16 units) with fenced code formatted as code, without its fences. A fence that is never closed
 * stays as it is.
 */
export function formatted(text: string, from = 0, to = text.length): Html {
  const parts: Html[] = []
  let at = from
  for (const block of blocksIn(text)) {
    if (block.end <= from || block.start >= to) continue
    if (block.start > at) parts.push(html`${text.slice(at, block.start)}`)
    const code = text.slice(Math.max(from, block.from), Math.max(from, Math.min(to, block.to)))
    if (code.trim() !== '') parts.push(codeHtml(code, block.language))
    at = Math.min(to, block.end)
  }
  if (at < to) parts.push(html`${text.slice(at, to)}`)
  return joined(parts, '')
}

function codeHtml(code: string, language: string): Html {
  return language === '' ? html`<pre>${code}</pre>` : html`<pre><code class="language-${language}">${code}</code></pre>`
}

function blocksIn(text: string): Block[] {
  return [...text.matchAll(fence)].map(({ 0: whole, 2: language = '', 3: code = '', index }) => {
    const from = index + whole.indexOf('\n') + 1
    return { start: index, end: index + whole.length, from, to: from + code.replace(/\n$/, '').length, language }
  })
}
