import { MemberNamed } from '../members.ts'
import { TelegramCheckAnswer, TelegramConfirm, TelegramConfirmed, TelegramStatus } from '../telegram.ts'
import { admins, route } from './route.ts'

/** The bridge to Telegram. */
export const telegramRoutes = {
  telegramStatus: route({
    method: 'GET',
    path: '/v1/admin/telegram',
    summary: 'State of the bridge to Telegram, and the people on it',
    audience: admins,
    answer: TelegramStatus,
  }),
  telegramCheck: route({
    method: 'GET',
    path: '/v1/admin/telegram/check',
    summary: 'Check token, group, rights and privacy mode with Telegram',
    audience: admins,
    answer: TelegramCheckAnswer,
  }),
  telegramConfirm: route({
    method: 'PUT',
    path: '/v1/admin/telegram/people/:name',
    summary: 'Confirm the Telegram user of a human, among those seen in the group; null revokes it',
    audience: admins,
    params: MemberNamed,
    body: TelegramConfirm,
    answer: TelegramConfirmed,
  }),
} as const
