import { AuditAnswer, AuditQuery } from '../audit.ts'
import { BackupReport } from '../backup.ts'
import { KeyAnswer, RotateKeyAnswer, RotateKeyRequest } from '../key-chain.ts'
import { Settings, SettingsChange } from '../settings.ts'
import { StatusAnswer } from '../status.ts'
import { admins, route } from './route.ts'

/** Administration of the hub itself. */
export const keepingRoutes = {
  getKey: route({
    method: 'GET',
    path: '/v1/admin/key',
    summary: "The hub's key, the time it was made, and the chain of earlier keys",
    audience: admins,
    answer: KeyAnswer,
  }),
  rotateKey: route({
    method: 'POST',
    path: '/v1/admin/key/rotate',
    summary: 'Give the hub a new key, signed by the old one unless that is compromised',
    audience: admins,
    body: RotateKeyRequest,
    answer: RotateKeyAnswer,
  }),
  status: route({
    method: 'GET',
    path: '/v1/admin/status',
    summary: 'State of the hub: store, backup, members, outdated clients, unread messages',
    audience: admins,
    answer: StatusAnswer,
  }),
  listAudit: route({
    method: 'GET',
    path: '/v1/admin/audit',
    summary: 'Who did what to whom, newest first',
    audience: admins,
    query: AuditQuery,
    answer: AuditAnswer,
  }),
  getSettings: route({
    method: 'GET',
    path: '/v1/admin/settings',
    summary: 'Settings: retention, limits of inboxes, lifetime of tokens',
    audience: admins,
    answer: Settings,
  }),
  putSettings: route({
    method: 'PUT',
    path: '/v1/admin/settings',
    summary: 'Change settings; absent ones are unchanged',
    audience: admins,
    body: SettingsChange,
    answer: Settings,
  }),
  makeBackup: route({
    method: 'POST',
    path: '/v1/admin/backup',
    summary: 'Back up the running hub, on its host; responds once the copy has been read and verified',
    audience: admins,
    answer: BackupReport,
    statuses: [201],
  }),
} as const
