import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ClaudeNetError } from '../../protocol/errors.ts'
import { failingScript } from './join-script.ts'

/** Programs whose output a join line pipes into a shell. All others get the usual JSON error. */
const downloader = /^(?:curl|wget)\b/i

/** Reports whether the response goes into a shell: a downloader requests a join script. */
export function isPipedToShell({ url, headers }: FastifyRequest['raw']): boolean {
  return /^\/join(?:[/?]|$)/.test(url ?? '') && downloader.test(headers['user-agent'] ?? '')
}

/**
 * Sends a refusal as a script that prints the reason and fails. The status is 200: on an HTTP error, `curl -f` prints only its number
 * and the shell, with nothing to run, exits with 0.
 */
export function sendRefusedScript(reply: FastifyReply, { message, hint }: ClaudeNetError): void {
  sendScript(reply, failingScript(message, hint))
}

/** Sends a script that must not be cached. */
export function sendScript(reply: FastifyReply, script: string): void {
  reply.code(200).type('text/x-shellscript; charset=utf-8').header('cache-control', 'no-store').send(script)
}
