import type { SshTransport } from '../client/transport/ssh.ts'
import { openLink, whyRefused } from '../client/transport/ssh-link.ts'
import { sshVersion } from '../client/transport/ssh-start.ts'
import { inWords, type SshFailure, sshLinks } from '../client/transport/ssh-words.ts'
import type { Check } from './check.ts'

/** Timeout of the far side, in ms. */
const answerMs = 5000

/** Goes over the links of the way through ssh, up to the first that fails. The hub itself is looked at elsewhere, if all hold. */
export async function diagnoseSsh(transport: SshTransport): Promise<Check[]> {
  const { files } = transport
  const { host, hub } = files
  const opened = await openLink(files, { maxAgeMs: 0, signal: new AbortController().signal })
  const failure = opened ?? (await whyNoAnswer(transport))
  const found = [
    ['ssh', await sshVersion()],
    ['host', `${host} answers`],
    ['key', `${host} lets this machine in`],
    ['forward', `${host} lets it on to ${hub.host}`],
  ] as const
  const passed = failure ? found.slice(0, sshLinks.indexOf(failure.link)) : found
  const checks = passed.map(([link, text]): Check => ({ link, state: 'ok', found: text }))
  if (failure) checks.push({ link: failure.link, state: 'failed', found: inWords(failure), mend: failure.hint })
  return checks
}

/** ssh accepts connections to what is not there: only a request finds out. */
async function whyNoAnswer(transport: SshTransport): Promise<SshFailure | undefined> {
  const startedAt = Date.now()
  try {
    const signal = AbortSignal.timeout(answerMs)
    const answer = await transport.request({ method: 'GET', path: '/healthz', headers: {}, signal })
    answer.on('error', () => {}).resume()
    return undefined
  } catch {
    return whyRefused(transport.files, startedAt)
  }
}
