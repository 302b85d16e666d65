import { lookup } from 'node:dns/promises'
import { existsSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { type Logger, pino } from 'pino'
import { readOwnFile } from '../disk/own-file.ts'
import { replaceFile } from '../disk/replace-file.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { version } from '../protocol/version.ts'
import { listenForAdmin } from './admin-socket.ts'
import { ensureAdminToken } from './admin-token.ts'
import { backupSettings, type HubConfig, type HubFlags, readHubConfig } from './config.ts'
import { checkStore, inWords, lookAtStore, rescueStore } from './damage.ts'
import { isSamePlace, placeInWords, takeHandedSockets } from './handed-sockets.ts'
import type { Listeners } from './http/listeners.ts'
import { createServer } from './http/server.ts'
import { databaseFile, Hub } from './hub.ts'
import { type HubIdentity, openIdentity } from './identity/identity.ts'
import { takeNeededSnapshot } from './join-log.ts'
import type { Verdict } from './journal/agreement.ts'
import { EtcdLog } from './journal/etcd/etcd-log.ts'
import { EtcdRoom } from './journal/etcd/etcd-room.ts'
import { explainEtcdError } from './journal/etcd/explain-etcd-error.ts'
import { EtcdGateway } from './journal/etcd/gateway.ts'
import { HeldName } from './journal/etcd/held-name.ts'
import { LeasedKeys } from './journal/etcd/leased-keys.ts'
import { explainHistoryError } from './journal/explain-history-error.ts'
import { etcdAccess } from './journal-settings.ts'
import { Backups } from './keeping/backups.ts'
import { finishRestore } from './keeping/restore.ts'
import { Snapshots } from './keeping/snapshots.ts'
import { StoreChecks } from './keeping/store-checks.ts'
import { Tails } from './keeping/tails.ts'
import { lockDataDirectory } from './lock.ts'
import { LogDestination } from './log-destination.ts'
import { LoopBrake } from './loop-brake.ts'
import { openAlone, openShared } from './open-hub.ts'
import { Outgoing } from './outgoing.ts'
import { addressesForPeers, ownAddress } from './own-address.ts'
import { auditFile } from './reading/audit-lines.ts'
import { Audit } from './seeing/audit.ts'
import { Metrics } from './seeing/metrics.ts'
import { Watch } from './seeing/watch.ts'
import { SharedBoard } from './sharing/board.ts'
import { Claim } from './sharing/claim.ts'
import { Hubs } from './sharing/hubs.ts'
import { peerTopic, peerValue } from './sharing/peers.ts'
import { Trimming } from './sharing/trimming.ts'
import { Supervisor } from './supervisor.ts'

export { readHubConfig } from './config.ts'
// What the commands need of the hub's room: they load this file's bundle when they are asked for.
export { inWords as diskInWords } from './damage.ts'
export { isSamePlace, placeInWords } from './handed-sockets.ts'
export { beginHistory, leaveHistory } from './journal-commands.ts'
export { checkBackup, placeOfBackup } from './keeping/check-backup.ts'
export { checkTail, findTail, isTail } from './keeping/check-tail.ts'
export { copyStore } from './keeping/copy-store.ts'
export { drill, restore } from './keeping/restore.ts'
export { checkFile } from './keeping/store-checks.ts'

/** Exit status after a storage error (EX_SOFTWARE of sysexits.h): the supervisor starts the hub anew, from what is on disk. */
const storageExit = 70

/** How long a hub whose store has failed goes on saying so before it ends, in ms. */
const farewellMs = 500

/** How long clients of a hub that systemd starts anew may use a connection that is open, for one more request, in ms. */
const lastRequestsMs = 300

/** Where a running hub says that it listens, in its data directory. */
const hubUrlFile = 'hub.url'

/** A hub that answers. */
export interface RunningHub extends AsyncDisposable {
  /** The address for clients on this host: `http://127.0.0.1:3500`. */
  url: string
  /** Resolves once something was written durably; rejects when the store refuses. */
  probe(): Promise<unknown>
  /** Goes by the fields of `changed` that can change while it runs; returns the names of those that differ and cannot. */
  reload(changed: HubConfig): Promise<string[]>
  /** Finishes what is under way and releases the data directory. */
  close(): Promise<void>
}

export interface ServeOptions {
  log: Logger
  /** Called once when the store failed and the hub must be started anew. */
  onFatal: () => void
  /** See `TrimmingOptions.everyMs`. */
  trimEveryMs?: number
}

/** Wires a hub: lock → state and journal → admin token → identity → HTTP. The only file that knows all rooms. */
export async function serve(config: HubConfig, { log, onFatal, trimEveryMs }: ServeOptions): Promise<RunningHub> {
  const lock = lockDataDirectory(config.data)
  const cleanup: (() => unknown)[] = [() => lock.release()]
  const close = async () => {
    for (const step of cleanup.splice(0).reverse()) await step()
  }
  try {
    finishRestore(config.data)
    // A store that is gone is made anew from a log that others keep.
    const { shouldCheck } = lookAtStore(config.data, databaseFile, config.journal !== undefined)
    const metrics = new Metrics()
    cleanup.push(() => metrics.close())
    const audit = new Audit(join(config.data, auditFile), {
      onError: err => log.error({ err }, 'the audit cannot be written'),
      onBegunAnew: err =>
        log.error({ err }, 'the file of the audit was removed, replaced or damaged; the hub has opened it anew'),
    })
    cleanup.push(() => audit.close())
    const watch = new Watch(metrics, audit)
    let brake: LoopBrake | undefined
    let outgoing: Outgoing | undefined
    const tails = makeTails(config, log)
    // Once the hub has closed: what it committed last is in the tail too.
    cleanup.push(() => tails?.close())
    metrics.tails = tails
    const claim = config.journal && new Claim({ hub: config.hubName })
    const {
      log: sharedLog,
      held,
      ...opened
    } = await openHistory(config, log, claim, error => {
      log.fatal({ err: error }, `${error.message} The hub stops. ${error.hint}`)
      setTimeout(onFatal, farewellMs)
    })
    // After all else: the next hub of this name starts when this one has ended.
    cleanup.push(() => held?.close())
    const hub = new Hub({
      ...opened,
      ...(claim && { duty: claim }),
      dataDir: config.data,
      onCommit: commit => {
        metrics.committed(commit)
        tails?.committed({ ...commit, epoch: hub.state.position.epoch })
        brake?.watch(commit)
        outgoing?.committed(commit)
        claim?.committed(commit)
      },
      onClockStep: ({ byMs, atStart }) =>
        log.warn(
          { byMs },
          `the wall clock ${atStart ? 'does not fit the end of the history' : 'was set'}; nothing is deleted or expires by it`,
        ),
      onPutBack: (cursor, newest) =>
        log.warn(
          { cursor, newest },
          'a reader has seen more than the store holds: an older copy of it was put in place; readers start anew, and what came after the copy is gone',
        ),
      onBug: ({ seq, command }, err) => log.error({ err, seq, command: command.type }, 'a command failed'),
      onVerdict: (verdict, differing) => tellVerdict(log, verdict, differing),
      onStorageError: (err, fatal) => {
        metrics.storageFailed()
        log[fatal ? 'fatal' : 'error']({ err }, fatal ? whyItStops(err) : 'the disk is full')
        if (!fatal) return
        // Who waits for an answer is told why there is none, and /readyz tells, before the process ends.
        setTimeout(() => {
          const saved = rescueStore(err, hub.state.db, config.data, databaseFile)
          if (saved) log.fatal(saved)
          onFatal()
        }, farewellMs)
      },
      onDamage: err => {
        metrics.storageFailed()
        log.fatal({ err }, 'the store is damaged; nothing more is stored, and what can be read is shown')
      },
    })
    cleanup.push(() => hub.close())
    tails?.follow({ hub, makeBackup: () => backups.make() })
    if (shouldCheck) checkStore(hub.state.db)
    await ensureAdminToken(hub, config.data)
    if (claim) {
      cleanup.push(() => claim.close())
      claim.onChange(() => log.info({ hub: config.hubName }, inWordsOf(claim)))
      claim.start({ db: hub.state.db, submit: command => hub.submit(command) })
    }
    const identity = await identityOf(config, log)
    if (config.limits?.loop) brake = new LoopBrake(hub, config.limits.loop, watch.braked)
    const clientFile = findClientFile()
    const checks = new StoreChecks({
      hub,
      source: join(config.data, databaseFile),
      program: clientFile,
      atOnce: !shouldCheck,
      onError: err => log.error({ err }, 'the store could not be checked'),
    })
    cleanup.push(() => checks.close())
    const backups = new Backups({
      hub,
      source: join(config.data, databaseFile),
      settings: backupSettings(config),
      program: clientFile,
      tails,
      onMade: ({ ms, report, error }) => {
        metrics.backupMade(error === undefined)
        if (error) log.error({ err: error }, 'a backup failed')
        else log.info({ ...report, ms: Math.round(ms) }, 'a backup was made')
        void hubs.announce()
      },
      onBadCopy: () => checks.checkSoon(),
    })
    metrics.backups = backups
    const snapshots =
      sharedLog &&
      new Snapshots({
        dir: backupSettings(config).dir,
        position: () => hub.state.position,
        secret: await sharedLog.secret(),
        first: () => sharedLog.first(),
        makeBackup: () => backups.make(),
      })
    let consoleUrl = config.url
    let present = identity
    let ssh = config.ssh
    const hubs = new Hubs({
      ...{
        name: config.hubName,
        isShared: config.journal !== undefined,
        state: hub.state,
        board: hub.board,
        duty: hub.duty,
      },
      apart: () => hub.apart,
      submit: command => hub.submit(command),
      ways: () => ({
        url: ownAddress(consoleUrl, listeners.places, present !== undefined),
        ssh,
        hubKey: present?.hubKey,
        snapshot: snapshots?.offset,
      }),
    })
    const announce = () => {
      void hubs.announce()
      if (!present) return
      const urls = addressesForPeers(consoleUrl, listeners.places)
      hub.board.put(peerTopic, peerValue({ urls, hubKey: present.hubKey }))
    }
    cleanup.push(() => hubs.close())
    hub.onHubsChanged(() => hubs.changed())
    if (sharedLog && config.journal) {
      const trimming = new Trimming({
        log: sharedLog,
        room: new EtcdRoom(etcdAccess(config.journal)),
        duty: hub.duty,
        everyMs: trimEveryMs,
        hubs: () => hubs.snapshots,
        isLive: name => name === config.hubName || hub.board.peers.has(name),
        makeBackup: () => backups.make(),
        onFull: isFull =>
          isFull
            ? log.error('etcd has no room left: its quota is full, and nothing is stored until room was made')
            : log.info('etcd has room again'),
        onTrimmed: upTo => log.info({ upTo }, 'records that every hub has in a snapshot were removed from the log'),
        onError: err =>
          log.warn({ err }, 'room could not be made in etcd; docs/operations.md says how it is done by hand'),
      })
      cleanup.push(() => trimming.close())
    }
    metrics.hubs = hubs
    const telegram = await startTelegram(config, { hub, log, audit, consoleUrl: () => consoleUrl })
    if (telegram) cleanup.push(() => telegram.close())
    metrics.telegram = telegram
    const webhooks = new Outgoing({ hub, log })
    outgoing = webhooks
    cleanup.push(() => webhooks.close())
    const door = {
      hub,
      hubs,
      log,
      hosts: config.hosts,
      door: config,
      clientFile,
      identity,
      onProve: (next: HubIdentity) => {
        present = next
        announce()
      },
      dataDir: config.data,
      watch,
      backups,
      snapshots,
      tails,
      telegram,
      outgoing: () => webhooks.desk(),
    }
    const { server, listeners, cameFromAdmin, configure, prove, leave } = createServer(door)
    await server.ready()
    let removeSocket: (() => void) | undefined
    cleanup.push(() => removeSocket?.())
    const handed = takeHandedSockets()
    cleanup.push(async () => {
      const ended = listeners.close()
      // Who connects now waits in systemd's socket for the next hub. Who is connected already is served meanwhile, once more.
      if (handed.length > 0) {
        leave()
        await Promise.race([ended, delay(lastRequestsMs)])
      }
      await server.close()
      await ended
    })
    // First of all: who waits for a backup is told that there will be none.
    cleanup.push(() => backups.close())
    const url = await (handed.length > 0 ? listenHanded(listeners, handed, config, log) : listen(listeners, config))
    try {
      removeSocket = await listenForAdmin(listeners, config.data, cameFromAdmin)
    } catch (err) {
      // Mail goes on without it.
      log.error({ err }, "the admin's socket cannot be made; admin commands on this host need --hub and --token-file")
    }
    const urlFile = join(config.data, hubUrlFile)
    writeUrl(urlFile, url, log)
    cleanup.push(() => rmSync(urlFile, { force: true }))
    announce()
    log.info({ url, host: config.host, data: config.data, version, seq: hub.state.position.seq }, 'the hub listens')
    const reload = async (changed: HubConfig) => {
      // A certificate of one's own is read anew, for it was renewed perhaps.
      if (changed.tls || config.tls) prove(await openIdentity(config.data, changed.tls))
      configure(changed)
      consoleUrl = changed.url
      ssh = changed.ssh
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

/** The history of this hub alone, or the one that it shares with others where hub.json names its log. */
async function openHistory(
  { journal, data: dataDir, hubName }: HubConfig,
  logger: Logger,
  claim: Claim | undefined,
  onLost: (error: ClaudeNetError) => void,
) {
  if (!journal) return { ...openAlone({ dataDir }), log: undefined, held: undefined }
  const access = etcdAccess(journal)
  const gateway = new EtcdGateway(access)
  let held: HeldName | undefined
  try {
    const log = await EtcdLog.open(gateway, journal.name)
    held = await HeldName.take({
      ...{ gateway: new EtcdGateway(access), name: journal.name, hub: hubName, dataDir },
      onLost,
    })
    await takeNeededSnapshot(log, {
      ...{ dataDir, hub: hubName, name: journal.name, snapshots: journal.snapshots },
      ...{ program: findClientFile(), log: logger },
    })
    const opened = await openShared(
      { log, name: journal.name, hub: hubName },
      { dataDir, staleReadsS: journal.staleReadsS, leads: () => claim?.isMine ?? true },
    )
    // Not over the log's gateway: that is closed with the log.
    const keys = new EtcdGateway(access)
    const board = new SharedBoard(hubName, hear => new LeasedKeys(keys, `/claude-net/${journal.name}/board/`, hear))
    return { ...opened, board, log, held }
  } catch (error) {
    gateway.close()
    await held?.close()
    throw explainEtcdError(error, journal.name)
  }
}

/** Whether the hubs of the history have come to the same outcomes. That this one is outvoted is told as it stops. */
function tellVerdict(log: Logger, verdict: Verdict, differing: readonly string[]): void {
  if (verdict === 'tied')
    log.error(
      { differing },
      'hubs of this history have come to other outcomes, and no side has a majority: nothing is taken',
    )
  if (verdict === 'majority')
    log.error({ differing }, 'hubs of this history have come to other outcomes than the majority')
  if (verdict === 'agrees') log.info('the hubs of this history agree again')
}

/** What has changed about who acts for all hubs of the history. */
function inWordsOf({ isMine }: Claim): string {
  return isMine
    ? 'this hub acts for all hubs of its history: ticks, later mail, Telegram, posts of webhooks'
    : 'this hub no longer acts for the other hubs of its history'
}

/** What the hub proves itself with. On a full disk, where the first start cannot keep a key, it speaks no TLS rather than not at all. */
async function identityOf({ data, tls }: HubConfig, log: Logger): Promise<HubIdentity | undefined> {
  try {
    return await openIdentity(data, tls)
  } catch (err) {
    if (!isFull(err)) throw err
    log.error(
      { err },
      'the disk is full: the hub could not keep a key of its own, and speaks no TLS until it is started again',
    )
    return undefined
  }
}

function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
}

/** Why the hub stops, and, where the history and this program do not fit together, what to do about it. */
function whyItStops(error: unknown): string {
  const { message, hint } = error as { message: string; hint?: string }
  return hint === undefined ? 'the store failed; the hub stops' : `${message} The hub stops. ${hint}`
}

/** The fields of hub.json that a hub reads when it starts, and then no more. */
const needRestart = ['host', 'port', 'data', 'timeouts', 'backup', 'telegram', 'journal', 'hubName'] as const

/** The tails of the backups, where hub.json says where to. */
function makeTails(config: HubConfig, log: Logger): Tails | undefined {
  const { logTo: dir, logGiB, dir: backupDir } = backupSettings(config)
  if (dir === undefined) return undefined
  return new Tails({
    dir,
    backupDir,
    maxBytes: logGiB * 2 ** 30,
    onTrouble: err => {
      if (err)
        log.error(
          { err, dir },
          'the tail of the backup is not written; the hub goes on, and makes a backup as soon as it can be',
        )
      else log.info({ dir }, 'the tail of the backup is written again')
    },
  })
}

/** The bridge to Telegram, loaded only where hub.json asks for it. */
async function startTelegram(
  { telegram: settings, telegramTokenFile: tokenFile, data }: HubConfig,
  parts: { hub: Hub; log: Logger; audit: Audit; consoleUrl: () => string | undefined },
) {
  if (!settings) return undefined
  const { TelegramBridge } = await import('./telegram/bridge.ts')
  return new TelegramBridge({ ...parts, settings, tokenFile, aliveFile: join(data, 'telegram.alive') })
}

/** Runs a hub until SIGTERM or SIGINT, as `claude-net hub` does. Resolves when it has closed; exits 70 on a storage error. */
export async function runHub(flags: HubFlags): Promise<void> {
  // Whatever this process makes, SQLite's files too, is for its user alone.
  process.umask(0o077)
  const config = readHubConfig(flags)
  const log = pino(
    { level: config.logLevel, redact: ['req.headers.authorization'] },
    new LogDestination({ isJournal: process.env.JOURNAL_STREAM !== undefined }),
  )
  const stop = new Promise<string>(resolve => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
  const running = await serve(config, { log, onFatal: () => process.exit(storageExit) })
  process.on('SIGHUP', async () => {
    try {
      const waits = await running.reload(readHubConfig(flags))
      if (waits.length === 0) log.info('hub.json was read again')
      else log.warn({ fields: waits }, 'hub.json was read again; these fields need a restart')
    } catch (error) {
      log.error({ why: (error as Error).message }, 'hub.json is wrong; the hub goes on with what it had')
    }
  })
  const supervisor = new Supervisor({ onError: err => log.warn({ err }, 'systemd could not be told') })
  await supervisor.ready(`listens at ${running.url}`, running.probe)
  const signal = await stop
  log.info({ signal }, 'the hub stops')
  await supervisor.stopping()
  await running.close()
  log.info('the hub has stopped')
}

/** Listens where the configuration says; `localhost` is each address of that name. Returns the address for clients on this host. */
async function listen(listeners: Listeners, { host, port }: HubConfig): Promise<string> {
  try {
    const first = (await listeners.listen({ host, port })) as AddressInfo
    if (host === 'localhost') {
      for (const { address } of await lookup(host, { all: true })) {
        // Where this host has no such address, or no such family, the first is enough.
        if (address !== first.address) await listeners.listen({ host: address, port: first.port }).catch(() => {})
      }
    }
    return localUrl(first)
  } catch (error) {
    throw cannotListen(error as NodeJS.ErrnoException, { host, port })
  }
}

/**
 * Listens on the sockets that systemd has handed over, whatever hub.json says: nobody else could have that port meanwhile. Returns the
 * address for clients on this host.
 */
async function listenHanded(
  listeners: Listeners,
  descriptors: number[],
  { host, port }: HubConfig,
  log: Logger,
): Promise<string> {
  const addresses: AddressInfo[] = []
  for (const fd of descriptors) {
    const address = await listeners.listen({ fd }).catch(error => {
      throw new ClaudeNetError(
        'invalid',
        `systemd has handed over a socket (descriptor ${fd}) on which no connection can be taken: ${error.message}.`,
        'systemctl cat claude-net.socket shows its unit: each ListenStream is an address with a port.',
      )
    })
    if (typeof address === 'object') addresses.push(address)
  }
  const places = addresses.map(({ address, port }) => ({ host: address, port }))
  if (!places.some(place => isSamePlace({ host, port }, place))) {
    log.warn(
      { socket: places.map(placeInWords), hubJson: placeInWords({ host, port }) },
      'the hub listens where claude-net.socket says; hub.json says otherwise: run install-service again to write the unit anew',
    )
  }
  if (addresses[0]) return localUrl(addresses[0])
  throw new ClaudeNetError(
    'invalid',
    'systemd has handed over no socket with an address and a port.',
    'systemctl cat claude-net.socket shows its unit: it needs a line such as ListenStream=0.0.0.0:3500.',
  )
}

/** Writes down where the hub listens. A full disk does not keep it from serving: an address of before that is no longer right is removed. */
function writeUrl(file: string, url: string, log: Logger): void {
  const text = `${url}\n`
  try {
    if (readOwnFile(file) === text) return
  } catch {
    // There is none yet, or something else stands there, which is replaced.
  }
  try {
    replaceFile(file, text, 0o600)
  } catch (err) {
    rmSync(file, { force: true })
    log.error({ err }, 'the address of the hub cannot be written down; invite needs --url')
  }
}

/** The ways in which an address is not to be had, in words; anything else as it is. */
function cannotListen(error: NodeJS.ErrnoException, { host, port }: Pick<HubConfig, 'host' | 'port'>): Error {
  const anotherHost = 'Choose another with --host; 0.0.0.0 is all of them.'
  const whys: Record<string, [why: string, hint: string]> = {
    EADDRINUSE: [`Port ${port} of ${host} is taken.`, 'Another hub may be running. Choose another port with --port.'],
    EADDRNOTAVAIL: [`${host} is no address of this host.`, anotherHost],
    ENOTFOUND: [`${host} is no address, nor a name that this host can resolve.`, anotherHost],
    EACCES: [`This user may not listen on port ${port}.`, 'Choose one from 1024 on with --port.'],
  }
  const [why, hint] = whys[error.code ?? ''] ?? []
  return why && hint ? new ClaudeNetError('conflict', why, hint) : error
}

function localUrl({ address, family, port }: AddressInfo): string {
  if (address === '0.0.0.0') return `http://127.0.0.1:${port}`
  if (address === '::') return `http://[::1]:${port}`
  return family === 'IPv6' ? `http://[${address}]:${port}` : `http://${address}:${port}`
}

/** The bundled client: beside this file where the hub is bundled too, in dist/ where it runs from source. */
function findClientFile(): string {
  const beside = join(import.meta.dirname, 'claude-net.mjs')
  return existsSync(beside) ? beside : join(import.meta.dirname, '../../dist/claude-net.mjs')
}
