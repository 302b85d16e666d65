import { ClaudeNetError } from '../../../protocol/errors.ts'
import { EtcdError } from './gateway.ts'

/** gRPC's codes, from its documentation (`google.rpc.Code`). */
const grpc = { invalid: 3, denied: 7, exhausted: 8, precondition: 9, unavailable: 14, unauthenticated: 16 } as const

/** Why a TLS connection was not made, as Node says it: https://nodejs.org/api/tls.html#x509-certificate-error-codes. */
const tlsTrouble = /certificate|self[- ]signed|altname|SSL|TLS|wrong version number|EPROTO|socket hang up/i

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
  if (code === grpc.unavailable && tlsTrouble.test(message))
    return refused(
      `${message}.`,
      'Look at "tls" of "journal" in hub.json: ca is who signs the nodes, cert and key are what this hub proves itself with. Endpoints of etcd with TLS begin with https.',
    )
  if (code === grpc.unavailable)
    return away(
      `No node of etcd answers: ${message}.`,
      'Is etcd running, and its majority there? etcdctl endpoint health --cluster',
    )
  return away(`etcd says: ${message}.`, 'Try again in a moment; etcdctl endpoint status shows how it is.')
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
