import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Logger } from 'pino'
import { version } from '../../protocol/version.ts'
import { ensureAdminToken } from '../admin-token.ts'
import type { HubConfig } from '../config/hub-config.ts'
import { checkStore, inWords, lookAtStore } from '../damage.ts'
import { createServer, type HttpDoor } from '../http/server.ts'
import { databaseFile, Hub } from '../hub.ts'
import { type HubIdentity, openIdentity } from '../identity/identity.ts'
import { explainHistoryError } from '../journal/explain-history-error.ts'
import type { Backups } from '../keeping/backups.ts'
import { finishRestore } from '../keeping/restore.ts'
import { lockDataDirectory } from '../lock.ts'
import { LoopBrake } from '../loop-brake.ts'
import { Outgoing } from '../outgoing.ts'
import type { Audit } from '../seeing/audit.ts'
import { Claim } from '../sharing/claim.ts'
import { listenForAdmin } from './admin-socket.ts'
import { Cleanup } from './cleanup.ts'
import { findClientFile } from './client-file.ts'
import { takeHandedSockets } from './handed-sockets.ts'
import { listen, listenHanded, writeUrl } from './listen.ts'
import { claimInWords, openHistory } from './open-history.ts'
import { openSeeing } from './open-seeing.ts'
import { openOwnIdentity } from './own-identity.ts'
import { openTails, startBackups } from './start-backups.ts'
import { type Reach, type Sharing, startSharing } from './start-sharing.ts'
import { farewellMs, storeEvents } from './store-events.ts'

/** Time in which clients of a hub that systemd restarts may send one more request over an open connection, in ms. */
const lastRequestsMs = 300

/** File in the data directory with the address at which the running hub listens. */
const hubUrlFile = 'hub.url'

/** Fields of hub.json that are read only at the start. */
const needRestart = ['host', 'port', 'data', 'timeouts', 'backup', 'telegram', 'journal', 'hubName'] as const

/** A hub that listens. */
export interface RunningHub extends AsyncDisposable {
  /** Address for clients on this host: `http://127.0.0.1:3500`. */
  url: string
  /** Resolves once something was written durably; rejects when the store refuses. */
  probe(): Promise<unknown>
  /** Applies the fields of `changed` that can change while the hub runs; returns the names of the others that differ. */
  reload(changed: HubConfig): Promise<string[]>
  /** Finishes what is under way and releases the data directory. */
  close(): Promise<void>
}

export interface ServeOptions {
  log: Logger
  /** Called once when the store failed and the hub must be restarted. */
  onFatal: () => void
  /** See `TrimmingOptions.everyMs`. */
  trimEveryMs?: number
}

/** Starts a hub: lock, store and history, backups, sharing, Telegram and webhooks, HTTP. Undoes the start in reverse order on `close` or a failure. */
export async function serve(config: HubConfig, { log, onFatal, trimEveryMs }: ServeOptions): Promise<RunningHub> {
  const lock = lockDataDirectory(config.data)
  const cleanup = new Cleanup()
  const close = () => cleanup.run()
  cleanup.add(() => lock.release())
  try {
    // Store and history
    finishRestore(config.data)
    // A missing store is made anew from a log that others keep.
    const { shouldCheck } = lookAtStore(config.data, databaseFile, config.journal !== undefined)
    const { metrics, audit, watch } = openSeeing(config.data, log, cleanup)
    let brake: LoopBrake | undefined
    let outgoing: Outgoing | undefined
    let sharing: Sharing | undefined
    const tails = openTails(config, log)
    // Closed after the hub, so that its last commit is in the tail too.
    cleanup.add(() => tails?.close())
    metrics.tails = tails
    const claim = config.journal && new Claim({ hub: config.hubName })
    const {
      log: sharedLog,
      held,
      ...history
    } = await openHistory(config, log, claim, error => {
      log.fatal({ err: error }, `${error.message} The hub stops. ${error.hint}`)
      setTimeout(onFatal, farewellMs)
    })
    cleanup.add(() => held?.close())
    const hub = new Hub({
      ...history,
      ...(claim && { duty: claim }),
      dataDir: config.data,
      onCommit: commit => {
        metrics.committed(commit)
        tails?.committed({ ...commit, epoch: hub.state.position.epoch })
        brake?.watch(commit)
        outgoing?.committed(commit)
        claim?.committed(commit)
      },
      ...storeEvents({ log, metrics, dataDir: config.data, db: () => hub.state.db, onFatal }),
    })
    cleanup.add(() => hub.close())
    tails?.follow({ hub, makeBackup: () => backups.make() })
    if (shouldCheck) checkStore(hub.state.db)
    await ensureAdminToken(hub, config.data)
    if (claim) {
      cleanup.add(() => claim.close())
      claim.onChange(() => log.info({ hub: config.hubName }, claimInWords(claim)))
      claim.start({ db: hub.state.db, submit: command => hub.submit(command) })
    }
    const identity = await openOwnIdentity(config, log)
    if (config.limits?.loop) brake = new LoopBrake(hub, config.limits.loop, watch.braked)

    // Backups, and what the hubs of one history share
    const clientFile = findClientFile()
    const backups: Backups = startBackups(config, {
      ...{ hub, log, metrics, tails, cleanup },
      program: clientFile,
      checkNow: !shouldCheck,
      onMade: () => void sharing?.hubs.announce(),
    })
    const reach: Reach = { url: config.url, ssh: config.ssh, identity, listening: () => [] }
    sharing = await startSharing(config, { hub, log, sharedLog, backups, reach, trimEveryMs, cleanup })
    const { hubs, snapshots, announce } = sharing
    metrics.hubs = hubs

    // Telegram, and webhooks that post
    const telegram = await startTelegram(config, { hub, log, audit, consoleUrl: () => reach.url })
    if (telegram) cleanup.add(() => telegram.close())
    metrics.telegram = telegram
    const webhooks = new Outgoing({ hub, log })
    outgoing = webhooks
    cleanup.add(() => webhooks.close())

    // HTTP
    const door = createServer({
      ...{ hub, hubs, log, clientFile, identity, watch, backups, snapshots, tails, telegram },
      hosts: config.hosts,
      door: config,
      onProve: (next: HubIdentity) => {
        reach.identity = next
        announce()
      },
      dataDir: config.data,
      outgoing: () => webhooks.admin(),
    })
    reach.listening = () => door.listeners.addresses
    await door.server.ready()
    const url = await startListening(config, door, { log, cleanup, backups })
    announce()
    log.info({ url, host: config.host, data: config.data, version, seq: hub.state.position.seq }, 'the hub listens')
    const reload = async (changed: HubConfig) => {
      // The files of a certificate may have been renewed.
      if (changed.tls || config.tls) door.prove(await openIdentity(config.data, changed.tls))
      door.configure(changed)
      reach.url = changed.url
      reach.ssh = changed.ssh
      announce()
      log.level = changed.logLevel
      return needRestart.filter(field => !isDeepStrictEqual(changed[field], config[field]))
    }
    return { url, probe: () => hub.submit({ type: 'clock.tick' }), reload, close, [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw explainHistoryError(inWords(error, config.data))
  }
}

/** Listens for clients and for the admin, and writes hub.url. Returns the address for clients on this host. */
async function startListening(
  config: HubConfig,
  { listeners, server, cameFromAdmin, leave }: HttpDoor,
  { log, cleanup, backups }: { log: Logger; cleanup: Cleanup; backups: Backups },
): Promise<string> {
  let removeSocket: (() => void) | undefined
  cleanup.add(() => removeSocket?.())
  const handed = takeHandedSockets()
  cleanup.add(async () => {
    const ended = listeners.close()
    // New connections wait in systemd's socket for the next hub; open ones may send one more request meanwhile.
    if (handed.length > 0) {
      leave()
      await Promise.race([ended, delay(lastRequestsMs)])
    }
    await server.close()
    await ended
  })
  // Runs before the server closes: a request that waits for a backup is answered with an error.
  cleanup.add(() => backups.close())
  const url = await (handed.length > 0 ? listenHanded(listeners, handed, config, log) : listen(listeners, config))
  try {
    removeSocket = await listenForAdmin(listeners, config.data, cameFromAdmin)
  } catch (err) {
    // The hub runs without it.
    log.error({ err }, "the admin's socket cannot be made; admin commands on this host need --hub and --token-file")
  }
  const urlFile = join(config.data, hubUrlFile)
  writeUrl(urlFile, url, log)
  cleanup.add(() => rmSync(urlFile, { force: true }))
  return url
}

/** Starts the Telegram bridge, whose code is loaded only where hub.json asks for it. */
async function startTelegram(
  { telegram: settings, telegramTokenFile: tokenFile, data }: HubConfig,
  parts: { hub: Hub; log: Logger; audit: Audit; consoleUrl: () => string | undefined },
) {
  if (!settings) return undefined
  const { TelegramBridge } = await import('../telegram/bridge.ts')
  return new TelegramBridge({ ...parts, settings, tokenFile, aliveFile: join(data, 'telegram.alive') })
}
