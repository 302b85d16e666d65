import { ClaudeNetError } from '../../../protocol/errors.ts'
import type { Reading, Source } from './event.ts'
import { deliveryIdIn, sha256 } from './proofs.ts'
import { at, join, link, title, word } from './words.ts'

/** Most instances that a line names. */
const maxNamed = 3

/**
 * Alertmanager's notifications, version 4 (prometheus.io/docs/alerting/latest/configuration, webhook_config). They are not signed: the
 * secret in the URL proves them. They have no delivery id either: identical notifications count once, so repeats by `repeat_interval` are
 * not stored again.
 */
export const alertmanager: Source = {
  prove: call => ({
    ok: true,
    deliveryId: deliveryIdIn(call, ['idempotency-key']) ?? sha256(call.raw).toString('hex'),
  }),
  formHint: 'Alertmanager sends JSON; a proxy in between has changed the content type.',
  read: readAlerts,
  example: {
    event: 'firing',
    line: 'firing: HighLatency (critical) on web-1: "Requests take longer than 1 s"',
    link: 'http://alertmanager.example:9093',
    failed: true,
  },
}

function readAlerts(payload: unknown): Reading {
  const alerts = at(payload, 'alerts')
  const status = word(payload, 'status')
  if (at(payload, 'version') !== '4' || !Array.isArray(alerts) || (status !== 'firing' && status !== 'resolved')) {
    throw new ClaudeNetError(
      'invalid',
      'body: it is not an Alertmanager notification, version 4.',
      'For other senders: claude-net webhook add generic --to NAME',
    )
  }
  const truncated = at(payload, 'truncatedAlerts')
  const count = alerts.length + (Number.isSafeInteger(truncated) ? Math.max(0, Number(truncated)) : 0)
  const names = named(payload, alerts, 'alertname')
  const severity = word(payload, 'commonLabels.severity')
  const instances = named(payload, alerts, 'instance')
  const summary = title(payload, [
    ...['summary', 'description', 'message'].map(each => `commonAnnotations.${each}`),
    ...['summary', 'description', 'message'].map(each => `alerts.0.annotations.${each}`),
  ])
  const line = join(
    `${count > 1 ? `${count} ` : ''}${status}:`,
    names || 'an alert without a name',
    severity && `(${severity})`,
    instances && `on ${instances}`,
  )
  return {
    event: status,
    line: summary === '' ? line : `${line}: ${summary}`,
    link: alerts.length === 1 ? link(payload, ['alerts.0.generatorURL', 'externalURL']) : link(payload, 'externalURL'),
    failed: status === 'firing',
  }
}

/** Returns the value of a label that all alerts have in common, or else the first of their values. */
function named(payload: unknown, alerts: readonly unknown[], label: string): string {
  const common = word(payload, `commonLabels.${label}`)
  if (common !== '') return common
  const values = new Set(alerts.slice(0, 100).map(alert => word(alert, `labels.${label}`)))
  values.delete('')
  const shown = [...values].slice(0, maxNamed).join(', ')
  return values.size > maxNamed ? `${shown} and ${values.size - maxNamed} more` : shown
}
