import { ClaudeNetError } from '../../../protocol/errors.ts'
import { EtcdError } from './gateway.ts'

/** gRPC's codes, from its documentation (`google.rpc.Code`). */
const grpc = { invalid: 3, denied: 7, exhausted: 8, precondition: 9, unavailable: 14, unauthenticated: 16 } as const

/** Reports whether etcd refused the request, so that it was not carried out. */
export function isRefusal(error: unknown): boolean {
  return (
    error instanceof EtcdError && [grpc.invalid, grpc.denied, grpc.precondition, grpc.unauthenticated].some(is(error))
  )
}

/** Reports whether the quota of etcd is full: it rejects writes until its alarm is disarmed. */
export function isQuotaFull(error: unknown): boolean {
  return error instanceof EtcdError && error.code === grpc.exhausted && /space exceeded/.test(error.message)
}

/** Returns an error of etcd about the log called `name` as one that says what to do; any other error unchanged. */
export function explainEtcdError(error: unknown, name: string): unknown {
  if (!(error instanceof EtcdError)) return error
  const { code, message } = error
  if (isQuotaFull(error))
    return away(
      'etcd has no room left: its quota is full.',
      'docs/three-hubs.md, "When etcd is full", says how to free space.',
    )
  if (code === grpc.denied)
    return refused(
      `etcd does not let this user read and write the history '${name}'.`,
      `Give its role the keys: etcdctl role grant-permission ROLE readwrite --prefix=true /claude-net/${name}/`,
    )
  if (/user name is empty/.test(message))
    return refused('etcd requires a user.', 'Name one in hub.json: "journal": {"user": {"name", "passwordFile"}}.')
  if (/authentication is not enabled/.test(message))
    return refused(
      'etcd has no users: its authentication is not enabled.',
      'Enable it (etcdctl auth enable), or leave "user" out of "journal" in hub.json.',
    )
  if (code === grpc.unauthenticated || /authentication failed/.test(message))
    return refused(
      `etcd refuses this user: ${message}.`,
      'Check "user" of "journal" in hub.json, and its passwordFile.',
    )
  const tls = code === grpc.unavailable ? tlsInWords(message) : undefined
  if (tls) return tls
  if (code === grpc.unavailable)
    return away(
      `No node of etcd answers: ${message}.`,
      'Check that etcd is running, with a majority of its nodes: etcdctl endpoint health --cluster',
    )
  return away(`etcd reports an error: ${message}.`, 'Try again in a moment; etcdctl endpoint status shows its state.')
}

/** Returns the reason why there is no TLS connection, with the field of hub.json to check; undefined for any other reason. */
function tlsInWords(message: string): ClaudeNetError | undefined {
  const [, node, why] = /^(etcd at \S+): (.*)$/s.exec(message) ?? []
  if (node === undefined || why === undefined) return undefined
  if (/alert certificate required/.test(why))
    return refused(
      `${node} accepts only clients with a certificate, and this hub has presented none.`,
      'Name one that etcd trusts, and its key, in hub.json: "journal": {"tls": {"cert", "key"}}.',
    )
  const [, alert] = /\balert ([a-z ]+)/.exec(why) ?? []
  if (alert !== undefined)
    return refused(
      `${node} does not accept the certificate of this hub: ${alert}.`,
      'Check "cert" in "tls" of "journal" in hub.json: its issuer must be in --trusted-ca-file of etcd, and it must be valid for clients.',
    )
  if (/altnames/.test(why))
    return refused(
      `The certificate of ${node} is not for that name: ${why}.`,
      'In "endpoints" of "journal" in hub.json, give each node by an address that is in its certificate.',
    )
  if (/socket hang up|wrong version number|ECONNRESET|EPROTO/.test(why))
    return refused(
      `${node} has closed the connection, as a node with TLS does when it is addressed without, and vice versa: ${why}.`,
      'Check "endpoints" of "journal" in hub.json: with TLS they begin with https.',
    )
  if (/certificate|self[- ]signed/i.test(why))
    return refused(
      `This hub does not trust the certificate of ${node}: ${why.split(';')[0]}.`,
      'Check "ca" in "tls" of "journal" in hub.json: it is the certificate of the authority that signs those of the etcd nodes.',
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
