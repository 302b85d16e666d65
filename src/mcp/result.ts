import { ClaudeNetError } from '../protocol/errors.ts'
import { visible } from '../text/visible.ts'

/** A tool result, as the protocol defines it. */
export type ToolResult = {
  content: { type: 'text'; text: string }[]
  isError?: true
}

/** Returns a tool result. It has text only: given a `structuredContent`, Claude would be shown only its JSON. */
export function textResult(...paragraphs: string[]): ToolResult {
  return { content: [{ type: 'text', text: paragraphs.filter(text => text !== '').join('\n\n') }] }
}

/** Returns a result marked as an error, with the error's message and hint. */
export function errorResult(error: unknown, ...before: string[]): ToolResult {
  return { ...textResult(...before, errorText(error)), isError: true }
}

export function errorText(error: unknown): string {
  if (error instanceof ClaudeNetError) return visible(`${error.message}\n${error.hint}`)
  return `claude-net failed: ${visible(error instanceof Error ? error.message : String(error))}`
}
