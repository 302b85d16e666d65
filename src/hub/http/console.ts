import { dirname, join } from 'node:path'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Handlers } from './handler.ts'

/** Handlers that serve the web console from `console/` beside the client. No file is read before the first request for it. */
export function consoleRoutes(clientFile: string): Pick<Handlers, 'consolePage' | 'consoleFile'> {
  const dir = join(dirname(clientFile), 'console')
  const send = async (name: string, request: FastifyRequest, reply: FastifyReply): Promise<undefined> => {
    const { sendConsoleFile } = await import('./console-files.ts')
    await sendConsoleFile(dir, name, request, reply)
    return undefined
  }
  return {
    consolePage: ({ request, reply }) => send('index.html', request, reply),
    consoleFile: ({ params, request, reply }) => send(params.file, request, reply),
  }
}
