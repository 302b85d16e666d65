import { ClaudeNetError } from '../../../protocol/errors.ts'
import { EtcdError } from './gateway.ts'

/** gRPC's codes, from its documentation (`google.rpc.Code`). */
const grpc = { invalid: 3, denied: 7, exhausted: 8, precondition: 9, unavailable: 14, unauthenticated: 16 } as const

/** Whether etcd has answered, and did nothing of what it was asked for. */
export function isRefusal(error: unknown): boolean {
  return (
    error instanceof EtcdError && [grpc.invalid, grpc.denied, grpc.precondition, grpc.unauthenticated].some(is(error))
  )
}

/** Whether etcd has no room left: its quota is full, and it takes no more writes until its alarm is disarmed. */
export function isQuotaFull(error: unknown): boolean {
  return error instanceof EtcdError && error.code === grpc.exhausted && /space exceeded/.test(error.message)
}

/** What kept a hub from its log called `name`, with what to do about it; any other error as it is. */
export function etcdInWords(error: unknown, name: string): unknown {
  if (!(error instanceof EtcdError)) return error
  const { code, message } = error
  if (isQuotaFull(error))
    return away(
      'etcd has no room left: its quota is full.',
      'docs/operations.md, "When etcd is full", says how room is made.',
    )
  if (code === grpc.denied)
    return refused(
      `etcd does not let this user read and write the history '${name}'.`,
      `Give its role the keys: etcdctl role grant-permission ROLE readwrite --prefix=true /claude-net/${name}/`,
    )
  if (/user name is empty/.test(message))
    return refused('etcd wants a user.', 'Name one in hub.json: "journal": {"user": {"name", "passwordFile"}}.')
  if (/authentication is not enabled/.test(message))
    return refused(
      'etcd knows no users: its authentication is not enabled.',
      'Enable it (etcdctl auth enable), or leave "user" out of "journal" in hub.json.',
    )
  if (code === grpc.unauthenticated || /authentication failed/.test(message))
    return refused(
      `etcd refuses this user: ${message}.`,
      'Look at "user" of "journal" in hub.json, and at its passwordFile.',
    )
  const tls = code === grpc.unavailable ? tlsInWords(message) : undefined
  if (tls) return tls
  if (code === grpc.unavailable)
    return away(
      `No node of etcd answers: ${message}.`,
      'Is etcd running, and its majority there? etcdctl endpoint health --cluster',
    )
  return away(`etcd says: ${message}.`, 'Try again in a moment; etcdctl endpoint status shows how it is.')
}

/** Why there is no connection with TLS, with the field of hub.json to look at; undefined for any other reason. */
function tlsInWords(message: string): ClaudeNetError | undefined {
  const [, node, why] = /^(etcd at \S+): (.*)$/s.exec(message) ?? []
  if (node === undefined || why === undefined) return undefined
  if (/alert certificate required/.test(why))
    return refused(
      `${node} takes only clients with a certificate, and this hub shows none.`,
      'Name one that etcd trusts, and its key, in hub.json: "journal": {"tls": {"cert", "key"}}.',
    )
  const [, alert] = /\balert ([a-z ]+)/.exec(why) ?? []
  if (alert !== undefined)
    return refused(
      `${node} does not take the certificate of this hub: ${alert}.`,
      'Look at "cert" in "tls" of "journal" in hub.json: who has signed it has to be in --trusted-ca-file of etcd, and it has to be valid for clients.',
    )
  if (/altnames/.test(why))
    return refused(
      `The certificate of ${node} is not for that name: ${why}.`,
      'In "endpoints" of "journal" in hub.json each node has an address that is in its certificate.',
    )
  if (/socket hang up|wrong version number|ECONNRESET|EPROTO/.test(why))
    return refused(
      `${node} has cut the connection, as one with TLS does without it, and the other way round: ${why}.`,
      'Look at "endpoints" of "journal" in hub.json: with TLS they begin with https.',
    )
  if (/certificate|self[- ]signed/i.test(why))
    return refused(
      `The certificate of ${node} is not one that this hub trusts: ${why.split(';')[0]}.`,
      'Look at "ca" in "tls" of "journal" in hub.json: it is the certificate of whoever signs the nodes of etcd.',
    )
  return undefined
}

function is({ code }: EtcdError): (other: number) => boolean {
  return other => other === code
}

function away(message: string, hint: string): ClaudeNetError {
  return new ClaudeNetError('unavailable', message, hint)
}

function refused(message: string, hint: string): ClaudeNetError {
  return new ClaudeNetError('forbidden', message, hint)
}
