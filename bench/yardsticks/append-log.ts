// The minimum work of a durable hub: appends each message to a file and responds after an fdatasync, shared by all messages that arrived
// during the previous one. It parses the JSON and stores nothing else. Prints its port. Argument: the file.
import { closeSync, fdatasync, openSync, write } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

const file = openSync(process.argv.at(-1)!, 'a', 0o600)
let waiting: { line: Buffer; id: string; response: ServerResponse }[] = []
let flushing = false

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const line = Buffer.concat(chunks)
    const { id } = JSON.parse(line.toString()) as { id: string }
    waiting.push({ line, id, response })
    if (flushing) return
    flushing = true
    // After the poll phase, so that every request that has arrived by then is in the batch.
    setImmediate(flush)
  })
})
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
server.on('close', () => closeSync(file))

function flush(): void {
  const batch = waiting
  waiting = []
  write(file, Buffer.concat(batch.map(({ line }) => line)), error => {
    if (error) throw error
    fdatasync(file, error => {
      if (error) throw error
      for (const { id, response } of batch) {
        const json = JSON.stringify({ id })
        response.writeHead(201, { 'content-type': 'application/json', 'content-length': json.length })
        response.end(json)
      }
      if (waiting.length > 0) setImmediate(flush)
      else flushing = false
    })
  })
}
