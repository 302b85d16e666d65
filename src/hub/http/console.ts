import { dirname, join } from 'node:path'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Handlers } from './handler.ts'

/** The routes that hand out the web console, which was built into `console/` beside the client. Nothing of it is read before somebody asks. */
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
