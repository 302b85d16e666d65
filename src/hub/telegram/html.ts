/** Text in Telegram's HTML (core.telegram.org/bots/api#html-style). Made by `html` only, so every tag in it is ours. */
export class Html {
  readonly source: string

  constructor(source: string) {
    this.source = source
  }

  /** The visible text, without formatting: Telegram's limits count it, in UTF-16 units. */
  get plain(): string {
    return this.source
      .replace(/<[^>]*>/g, '')
      .replace(/&(lt|gt|quot|amp);/g, (_, name: keyof typeof named) => named[name])
  }
}

const named = { lt: '<', gt: '>', quot: '"', amp: '&' } as const
const escapes = { '<': '&lt;', '>': '&gt;', '"': '&quot;', '&': '&amp;' } as const

/** Template tag that escapes its values, unless they are Html themselves. */
export function html(strings: TemplateStringsArray, ...values: (string | number | Html)[]): Html {
  return new Html(strings.map((text, index) => text + (index < values.length ? sourceOf(values[index]!) : '')).join(''))
}

export function joined(parts: readonly Html[], separator: string): Html {
  return new Html(parts.map(({ source }) => source).join(sourceOf(separator)))
}

function sourceOf(value: string | number | Html): string {
  if (value instanceof Html) return value.source
  return String(value).replace(/[<>"&]/g, char => escapes[char as keyof typeof escapes])
}
