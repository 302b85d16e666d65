// Sends messages to a hub until its standard input ends: half of the senders over persistent connections, the others over a new one per
// request. Retries an id until it is stored. Prints a summary as JSON: the ids that ended with 201 or 200, and every failure by its kind.
import { randomBytes } from 'node:crypto'
import { Agent, request } from 'node:http'

const [url, token, to] = process.argv.slice(2)
const seen = { stored: [], repeated: 0, failures: {}, longestMs: 0 }
let isOver = false
process.stdin.on('end', () => (isOver = true)).resume()

/** Returns a UUID of version 7, which the hub requires. */
function newId() {
  const hex = Date.now().toString(16).padStart(12, '0') + randomBytes(10).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

function post(body, agent) {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': body.length,
    }
    const outgoing = request(`${url}/v1/messages`, { method: 'POST', headers, agent }, response => {
      response
        .resume()
        .on('end', () => resolve(response.statusCode))
        .on('error', reject)
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

async function sender(agent) {
  while (!isOver) {
    const id = newId()
    const body = JSON.stringify({ id, to, body: 'under load' })
    for (;;) {
      const startedAt = performance.now()
      const outcome = await post(body, agent).catch(error => error.code ?? error.message)
      seen.longestMs = Math.max(seen.longestMs, performance.now() - startedAt)
      if (outcome === 200) seen.repeated++
      if (outcome === 200 || outcome === 201) break
      seen.failures[outcome] = (seen.failures[outcome] ?? 0) + 1
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    seen.stored.push(id)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

const kept = new Agent({ keepAlive: true })
await Promise.all([sender(kept), sender(kept), sender(false), sender(false)])
process.stdout.write(JSON.stringify(seen))
process.exit()
