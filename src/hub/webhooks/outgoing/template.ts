import { ClaudeNetError } from '../../../protocol/errors.ts'

/** What a template may have between `{{` and `}}`. */
const names = ['event', 'id', 'from', 'to', 'intent', 'at', 'bytes', 'line', 'text'] as const

export type Values = Record<(typeof names)[number], string>

/** `{{line}}`, or `{{slack:line}}` with Slack's own signs escaped. */
const placeholder = /\{\{\s*(slack:)?([\w-]*)\s*\}\}/g

const all = `There are: ${names.map(name => `{{${name}}}`).join(' ')}, and {{slack:…}} of each.`

/** Throws `invalid` for a template that would not always make JSON, or that asks for what is not posted. */
export function checkTemplate(template: string, { withText }: { withText: boolean }): void {
  for (const [, , name = ''] of template.matchAll(placeholder)) {
    if (!names.some(known => known === name))
      throw new ClaudeNetError('invalid', `The body has {{${name}}}, which is unknown.`, all)
    if (name === 'text' && !withText)
      throw new ClaudeNetError(
        'invalid',
        'The body has {{text}}, and this webhook posts no texts.',
        'Add --with-text, or leave {{text}} out: {{line}} says who wrote to whom.',
      )
  }
  const sample = Object.fromEntries(names.map(name => [name, '"\\\n'])) as Values
  try {
    JSON.parse(fill(template, sample))
  } catch {
    throw new ClaudeNetError(
      'invalid',
      'The body is no JSON once its placeholders are filled in.',
      `Placeholders stand inside strings, as in {"text": "{{line}}"}. ${all}`,
    )
  }
}

/** The template with its placeholders filled in, each value escaped as a part of a JSON string. */
export function fill(template: string, values: Values): string {
  return template.replaceAll(placeholder, (_, slack: string | undefined, name: keyof Values) =>
    JSON.stringify(slack ? slackEscaped(values[name]) : values[name]).slice(1, -1),
  )
}

/** In Slack `<!channel>` would call everybody: docs.slack.dev/messaging/formatting-message-text#escaping. */
function slackEscaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
