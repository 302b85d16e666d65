import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ClaudeNetError } from '../../protocol/errors.ts'
import { failingScript } from './join-script.ts'

/** Programs that join lines pipe into a shell. Everyone else is answered an error as on any other route. */
const downloader = /^(?:curl|wget)\b/i

/** Whether an answer goes into a shell: a downloader asks for a join script. */
export function isPipedToShell({ url, headers }: FastifyRequest['raw']): boolean {
  return /^\/join(?:[/?]|$)/.test(url ?? '') && downloader.test(headers['user-agent'] ?? '')
}

/**
 * Answers a refusal as a script that says why and fails. With a status of 200: of an HTTP error `curl -f` prints a number, and
 * leaves the shell nothing to run, which it does with an exit status of 0.
 */
export function sendRefusedScript(reply: FastifyReply, { message, hint }: ClaudeNetError): void {
  sendScript(reply, failingScript(message, hint))
}

/** Answers a script, which no cache may keep. */
export function sendScript(reply: FastifyReply, script: string): void {
  reply.code(200).type('text/x-shellscript; charset=utf-8').header('cache-control', 'no-store').send(script)
}
