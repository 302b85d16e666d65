import type { HubKey } from '../../protocol/hub-key.ts'
import type { ConsoleSettings, DoorSettings } from '../config/door.ts'
import type { Hub } from '../hub.ts'
import type { HubIdentity } from '../identity/identity.ts'
import type { Backups } from '../keeping/backups.ts'
import type { Snapshots } from '../keeping/snapshots.ts'
import type { Tails } from '../keeping/tails.ts'
import type { OutgoingAdmin } from '../outgoing-admin.ts'
import type { Watch } from '../seeing/watch.ts'
import type { Hubs } from '../sharing/hubs.ts'
import type { TelegramAdmin } from '../telegram-admin.ts'
import { addresses } from './addresses.ts'
import {
  bindMember,
  deleteAlias,
  deleteGroup,
  deleteMember,
  importOrganization,
  invite,
  liftBrake,
  listGroups,
  putAlias,
  putGroup,
  putMember,
  renameMember,
  revokeMember,
  rotateMember,
} from './admin.ts'
import { charts } from './charts.ts'
import { consoleRoutes } from './console.ts'
import { consoleSessionRoutes } from './console-sessions.ts'
import { listConversations } from './conversations.ts'
import { eventStreams } from './events.ts'
import type { Handlers } from './handler.ts'
import { health, readiness, type WriteProbe } from './health.ts'
import { hubsRoutes } from './hubs.ts'
import { ackInbox, markFetched, markTold, readInbox } from './inbox.ts'
import { clientFile, clientInfo, join, joinScript } from './join.ts'
import { getSettings, makeBackup, putSettings } from './keeping.ts'
import { keyRoutes } from './key.ts'
import { cancelLater, listLater } from './later.ts'
import type { Limits } from './limits.ts'
import type { Listeners } from './listeners.ts'
import { mcp } from './mcp.ts'
import { getMemberPolicy, putMemberPolicy } from './member-policy.ts'
import { listMachines, listMembers, putPolicy } from './members.ts'
import { getMessage, listMessages, sendMessage } from './messages.ts'
import type { Network } from './network.ts'
import { outgoingRoutes } from './outgoing.ts'
import type { PlainRequests } from './plain-requests.ts'
import { endSession, heartbeat } from './presence.ts'
import { PresenceNews } from './presence-news.ts'
import { proveHub } from './prove-hub.ts'
import { renewToken } from './renew-token.ts'
import { counted, seeing } from './seeing.ts'
import type { Sight } from './sight.ts'
import type { Meter } from './sse.ts'
import { status } from './status.ts'
import { telegramRoutes } from './telegram.ts'
import type { TokenHosts } from './token-hosts.ts'
import type { WebhookCalls } from './webhook-calls.ts'
import { webhookRoutes } from './webhooks.ts'

/** The parts of the HTTP door that handlers use. */
export interface RouteParts {
  hub: Hub
  /** The hubs of its history. */
  hubs: Hubs
  /** Allowed networks, limits and timeouts. */
  door: DoorSettings
  /** Path of the bundled client that new machines download. */
  clientFile: string
  /** Directory of the store. */
  dataDir: string
  /** Counts and audits the responses. */
  watch: Watch
  backups: Backups
  /** Snapshots from which other hubs of its history start; undefined for a standalone hub. */
  snapshots?: Snapshots
  tails?: Tails
  /** The bridge to Telegram, where hub.json has one. */
  telegram?: TelegramAdmin
  /** The webhooks that post events. */
  outgoing: () => Promise<OutgoingAdmin>
  probe: WriteProbe
  limits: Limits
  tokenHosts: TokenHosts
  network: Network
  plain: PlainRequests
  sight: Sight
  webhooks: WebhookCalls
  meter: Meter
  /** Aborts when the server begins to close: streams end. */
  closing: AbortSignal
  /** Returns the addresses at which the hub listens. */
  listening: () => Listeners['addresses']
  identity: () => HubIdentity | undefined
  hubKey: () => HubKey | undefined
  /** Replaces the identity for new TLS connections. */
  prove: (next: HubIdentity) => void
  /** Returns the settings of the console, which may change while the hub runs. */
  consoleSettings: () => ConsoleSettings
}

/** Returns the handler of every route of `protocol/api.ts`, each with the parts and the limits that it needs. */
export function routeHandlers(parts: RouteParts): Handlers {
  const { hub, clientFile: clientPath, watch, limits, tokenHosts, network, sight, webhooks, meter } = parts
  const { closing, listening, hubKey, consoleSettings } = parts
  const console = consoleSessionRoutes({ network, settings: consoleSettings })
  const handlers: Handlers = {
    health,
    ready: readiness(parts.probe),
    join: limits.limitJoins(join),
    joinScript: limits.limitJoinScripts(joinScript(network, hubKey)),
    clientFile: clientFile(clientPath),
    clientInfo: clientInfo(clientPath),
    ...consoleRoutes(clientPath),
    proveHub: limits.limitProofs(proveHub),
    sendMessage: limits.limitSends(sendMessage),
    getMessage: getMessage(sight),
    listMessages: listMessages(sight),
    listConversations: listConversations(sight),
    charts: charts(sight),
    listLater,
    cancelLater,
    readInbox,
    markFetched,
    markTold,
    ackInbox,
    listMachines: listMachines(tokenHosts, sight),
    putPolicy,
    getMemberPolicy,
    putMemberPolicy,
    renewToken,
    heartbeat,
    reportWrongHub: ({ identity, request, body }) => {
      watch.wrongHub(identity, request.clientAddress, body)
      return {}
    },
    endSession,
    events: counted(
      watch,
      eventStreams(closing, {
        limits,
        presence: new PresenceNews(hub),
        meter,
        drainTimeoutMs: parts.door.timeouts.streamDrainMs,
        sight,
      }),
    ),
    invite: invite(hubKey),
    addresses: addresses(listening, network),
    listMembers: listMembers(tokenHosts),
    putMember,
    deleteMember,
    renameMember,
    revokeMember,
    rotateMember: rotateMember(hubKey),
    bindMember,
    putAlias,
    deleteAlias,
    liftBrake,
    listGroups,
    putGroup,
    deleteGroup,
    importOrganization,
    getSettings,
    putSettings,
    makeBackup: makeBackup(parts.backups),
    ...hubsRoutes(parts.hubs, parts.snapshots),
    ...keyRoutes(parts),
    status: status(parts),
    mcp: mcp(() => handlers, { limits, watch }),
    ...seeing(watch),
    ...telegramRoutes(parts.telegram),
    ...webhookRoutes(webhooks, () => consoleSettings().url),
    ...outgoingRoutes(parts.outgoing),
    ...console,
    consoleLogin: limits.limitLogins(console.consoleLogin),
  }
  return handlers
}
