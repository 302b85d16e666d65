import { closeSync, openSync } from 'node:fs'
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'

/**
 * A process that has loaded the hub, and runs one hub after the other: for each message from its parent, until a signal stops that hub.
 * Sends 'taken' to the parent when it has received the order, and 'stopped' when the process of a single hub would have ended, which is
 * when nothing keeps the event loop running. A hub that ends in any other way ends this process.
 */
export interface WarmHubOrder {
  config: string
  port: number
  data: string
  /** The file to which standard output and standard error go. */
  log: string
}

const hubBundle: string = '../../dist/hub.mjs'
const { runHub } = (await import(hubBundle)) as typeof import('../../src/hub/serve.ts')

process.on('message', async ({ log, ...flags }: WarmHubOrder) => {
  process.send!('taken')
  // `open` returns the lowest free descriptor, which is the one just closed.
  for (const descriptor of [1, 2]) {
    closeSync(descriptor)
    openSync(log, 'a')
  }
  await nextTurn()
  const idle = process.getActiveResourcesInfo().length
  try {
    await runHub(flags)
  } catch (error) {
    const { stack, message, hint } = error as Error & { hint?: string }
    process.stderr.write(`claude-net: ${hint === undefined ? stack : `${message}\n${hint}`}\n`)
    process.exit(1)
  }
  while (process.getActiveResourcesInfo().length > idle) await delay(1)
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.removeAllListeners(signal)
  process.send!('stopped')
})
process.on('disconnect', () => process.exit())
