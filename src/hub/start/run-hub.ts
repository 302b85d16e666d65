import { pino } from 'pino'
import { type HubFlags, readHubConfig } from '../config/hub-config.ts'
import { LogDestination } from './log-destination.ts'
import { serve } from './serve.ts'
import { Supervisor } from './supervisor.ts'

/** Exit status after a storage error (EX_SOFTWARE of sysexits.h): the supervisor restarts the hub from what is on disk. */
const storageExit = 70

/** Runs a hub until SIGTERM or SIGINT, as `claude-net hub` does. Resolves when it has closed; exits 70 on a storage error. */
export async function runHub(flags: HubFlags): Promise<void> {
  // Only the user of this process may access the files it creates, SQLite's included.
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
      log.error({ why: (error as Error).message }, 'hub.json is invalid; the hub continues with its previous settings')
    }
  })
  const supervisor = new Supervisor({ onError: err => log.warn({ err }, 'systemd could not be notified') })
  await supervisor.ready(`listens at ${running.url}`, running.probe)
  const signal = await stop
  log.info({ signal }, 'the hub stops')
  await supervisor.stopping()
  await running.close()
  log.info('the hub has stopped')
}
