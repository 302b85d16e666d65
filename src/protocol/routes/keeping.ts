import { AuditAnswer, AuditQuery } from '../audit.ts'
import { BackupReport } from '../backup.ts'
import { KeyAnswer, RotateKeyAnswer, RotateKeyRequest } from '../key-chain.ts'
import { Settings, SettingsChange } from '../settings.ts'
import { StatusAnswer } from '../status.ts'
import { admins, route } from './route.ts'

/** What the admin sees of the hub and changes of it. */
export const keepingRoutes = {
  getKey: route({
    method: 'GET',
    path: '/v1/admin/key',
    summary: "The hub's key, when it was made, and the chain of those before it",
    audience: admins,
    answer: KeyAnswer,
  }),
  rotateKey: route({
    method: 'POST',
    path: '/v1/admin/key/rotate',
    summary: 'Give the hub a new key; the old one vouches for it, unless it is compromised',
    audience: admins,
    body: RotateKeyRequest,
    answer: RotateKeyAnswer,
  }),
  status: route({
    method: 'GET',
    path: '/v1/admin/status',
    summary: 'How the hub is: store, backup, members, clients that are behind, what waits',
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
    summary: 'What the hub keeps, and for how long',
    audience: admins,
    answer: Settings,
  }),
  putSettings: route({
    method: 'PUT',
    path: '/v1/admin/settings',
    summary: 'Change settings; what is left out stays',
    audience: admins,
    body: SettingsChange,
    answer: Settings,
  }),
  makeBackup: route({
    method: 'POST',
    path: '/v1/admin/backup',
    summary: 'Back up the running hub, on its host; answers once the copy was read and found good',
    audience: admins,
    answer: BackupReport,
    statuses: [201],
  }),
} as const
