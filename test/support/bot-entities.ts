/** Why Telegram would not understand a text, in its words. */
export class ParseError extends Error {}

/** Tags that Telegram knows, each with the type of its entity (core.telegram.org/bots/api#html-style). */
const types: Record<string, string> = {
  b: 'bold',
  strong: 'bold',
  i: 'italic',
  em: 'italic',
  u: 'underline',
  s: 'strikethrough',
  code: 'code',
  pre: 'pre',
  a: 'text_link',
  blockquote: 'blockquote',
  'tg-spoiler': 'spoiler',
}

const named: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"' }

export interface Entity {
  type: string
  /** The text that it covers. */
  text: string
  url?: string
}

/** Reads Telegram's HTML as strictly as Telegram does. Throws `ParseError`. */
export function parseEntities(source: string): { text: string; entities: Entity[] } {
  const open: { tag: string; start: number; url?: string }[] = []
  const entities: Entity[] = []
  let text = ''
  for (let at = 0; at < source.length; ) {
    const char = source[at]!
    if (char === '&') {
      const [whole, name, number] = /^&(?:(\w+)|#(\d+|x[0-9a-f]+));/i.exec(source.slice(at, at + 16)) ?? []
      if (whole === undefined) text += '&'
      else if (number !== undefined) text += String.fromCodePoint(Number(number.replace(/^x/i, '0x')))
      else if (named[name!] !== undefined) text += named[name!]
      else throw new ParseError(`unsupported entity &${name};`)
      at += whole?.length ?? 1
    } else if (char === '<') {
      const [whole, slash, tag, attributes] = /^<(\/?)([a-z][a-z0-9-]*)((?:\s+[a-z-]+(?:="[^"]*")?)*)\s*>/i.exec(source.slice(at)) ?? []
      if (whole === undefined) throw new ParseError(`unclosed start tag at byte offset ${Buffer.byteLength(source.slice(0, at))}`)
      const name = tag!.toLowerCase()
      if (types[name] === undefined) throw new ParseError(`unsupported start tag "${name}"`)
      if (slash === '') open.push({ tag: name, start: text.length, url: /href="([^"]*)"/.exec(attributes!)?.[1] })
      else {
        const begun = open.pop()
        if (begun?.tag !== name) throw new ParseError(`unmatched end tag "${name}"`)
        entities.push({ type: types[name], text: text.slice(begun.start), ...(begun.url !== undefined && { url: begun.url }) })
      }
      at += whole.length
    } else {
      text += char
      at++
    }
  }
  if (open.length > 0) throw new ParseError(`can't find end tag corresponding to start tag "${open.at(-1)!.tag}"`)
  return { text, entities }
}

/** As Telegram cleans a text before it looks whether anything is left. */
export function trimmed(text: string): string {
  return text.trim()
}
