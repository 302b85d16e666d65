import { MemberNamed } from '../members.ts'
import { TelegramCheckAnswer, TelegramConfirm, TelegramConfirmed, TelegramStatus } from '../telegram.ts'
import { admins, route } from './route.ts'

/** The bridge to Telegram. */
export const telegramRoutes = {
  telegramStatus: route({
    method: 'GET',
    path: '/v1/admin/telegram',
    summary: 'How the bridge to Telegram fares, and who its people are',
    audience: admins,
    answer: TelegramStatus,
  }),
  telegramCheck: route({
    method: 'GET',
    path: '/v1/admin/telegram/check',
    summary: 'Asks Telegram about token, group, rights and privacy mode',
    audience: admins,
    answer: TelegramCheckAnswer,
  }),
  telegramConfirm: route({
    method: 'PUT',
    path: '/v1/admin/telegram/people/:name',
    summary: 'Say which Telegram user a human is, of those seen in the group; null forgets it',
    audience: admins,
    params: MemberNamed,
    body: TelegramConfirm,
    answer: TelegramConfirmed,
  }),
} as const
