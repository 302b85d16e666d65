import { ClaudeNetError } from '../../../protocol/errors.ts'

/** Names allowed between `{{` and `}}`. */
const names = ['event', 'id', 'from', 'to', 'intent', 'at', 'bytes', 'line', 'text'] as const

export type Values = Record<(typeof names)[number], string>

/** Matches `{{line}}`, and `{{slack:line}}` with Slack's control characters escaped. */
const placeholder = /\{\{\s*(slack:)?([\w-]*)\s*\}\}/g

const all = `There are: ${names.map(name => `{{${name}}}`).join(' ')}, and {{slack:…}} of each.`

/** Throws `invalid` for a template that may produce invalid JSON, or that has an unknown or unavailable placeholder. */
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
      'The body is not JSON once its placeholders are filled in.',
      `Placeholders stand inside strings, as in {"text": "{{line}}"}. ${all}`,
    )
  }
}

/** Fills the placeholders, each value escaped as part of a JSON string. */
export function fill(template: string, values: Values): string {
  return template.replaceAll(placeholder, (_, slack: string | undefined, name: keyof Values) =>
    JSON.stringify(slack ? slackEscaped(values[name]) : values[name]).slice(1, -1),
  )
}

/** Escapes Slack's control characters: `<!channel>` would notify everyone (docs.slack.dev/messaging/formatting-message-text#escaping). */
function slackEscaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
