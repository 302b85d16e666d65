import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { Command } from 'commander'
import { runningSessions } from '../claude/sessions.ts'
import { Home } from '../client/home.ts'
import { HubClient } from '../client/hub-client.ts'
import { machineTransport } from '../client/machine.ts'
import { provenBy } from '../client/proven-way.ts'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { version } from '../protocol/version.ts'
import { adminClient } from './admin.ts'
import { print } from './output.ts'

/** Timeout of the download of the client, about half a megabyte, in ms. */
const downloadMs = 60_000

interface UpdateOptions {
  check?: boolean
  back?: boolean
  data?: string
  json?: boolean
}

export function updateCommand(): Command {
  return new Command('update')
    .description('Update this program to the version that the hub has')
    .option('--check', 'Only report whether there is another version')
    .option('--back', 'Return to the version before the last update')
    .option('--data <dir>', "On the hub's host: take the program from the hub with this data directory")
    .option('--json', 'Print JSON')
    .addHelpText(
      'after',
      `
The program is taken only from a hub that has proven its identity: one whose key this machine has pinned (claude-net pin), one with a
certificate that it trusts, or, for root and the hub's user on the hub's host, the one that owns the data directory.`,
    )
    .action(async (options: UpdateOptions) => {
      const home = new Home()
      if (options.back) return goBack(home, options)
      const source = provenSource(home, options)
      try {
        await update(home, source, options)
      } finally {
        source.client.close()
      }
    })
}

/** A hub that has proven itself, and how. */
interface Source {
  client: HubClient
  by: () => string
}

/** Throws `forbidden` where whoever has the port of the hub could hand out a program. It is not asked for anything. */
function provenSource(home: Home, { data }: UpdateOptions): Source {
  if (data !== undefined) return { client: adminClient({ data }).client, by: () => `the owner of ${data}` }
  const credentials = home.credentials()
  const { hub } = credentials
  const by = provenBy(credentials)
  if (by === undefined) {
    throw new ClaudeNetError(
      'forbidden',
      `The server at ${hub.origin} has not proven that it is the hub, so no program is taken from it. Nothing was changed.`,
      `First: ${home.launcher} pin`,
    )
  }
  // Accepts a new key that the pinned one has signed.
  return {
    client: new HubClient({ transport: machineTransport(home) }),
    by: () => provenBy(home.credentials()) ?? by,
  }
}

async function update(home: Home, { client, by }: Source, options: UpdateOptions): Promise<void> {
  const offered = await client.call(api.clientInfo).catch(throwOldHub)
  if (existsSync(home.clientFile) && sha256(readFileSync(home.clientFile)) === offered.sha256) {
    print(
      options,
      { updated: false, version: offered.version, sha256: offered.sha256, available: false },
      () => `This machine has the hub's version, ${offered.version} (sha256 ${offered.sha256}).`,
    )
    return
  }
  if (options.check) {
    print(
      options,
      { updated: false, version, available: true, offered: offered.version, sha256: offered.sha256 },
      () =>
        `The hub has another build: ${offered.version} (sha256 ${offered.sha256}); this is ${version}. Take it with: claude-net update`,
    )
    return
  }
  const next = beside(home, 'next')
  try {
    const bytes = await download(client, offered.bytes)
    if (bytes.byteLength !== offered.bytes || sha256(bytes) !== offered.sha256) throw notWhole()
    writeFileSync(next, bytes, { mode: 0o755, flush: true })
    await expectRuns(next, offered.version)
    if (existsSync(home.clientFile)) copyFileSync(home.clientFile, beside(home, 'previous'))
    renameSync(next, home.clientFile)
  } finally {
    rmSync(next, { force: true })
  }
  report(options, offered.version, { sha256: offered.sha256, by: by() })
}

/** Swaps the version before with this one, so that a second time leads forward again. */
async function goBack(home: Home, options: UpdateOptions): Promise<void> {
  const previous = beside(home, 'previous')
  if (!existsSync(previous)) {
    throw new ClaudeNetError('not_found', 'No earlier version is kept here.', 'Only an update keeps one.')
  }
  const found = await expectRuns(previous)
  const aside = beside(home, 'next')
  copyFileSync(home.clientFile, aside)
  renameSync(previous, home.clientFile)
  renameSync(aside, previous)
  report(options, found, { sha256: sha256(readFileSync(home.clientFile)) })
}

/** `by` is how the hub that it came from has proven itself. */
function report(options: UpdateOptions, to: string, { sha256, by }: { sha256: string; by?: string }): void {
  const sessions = runningSessions()
  print(options, { updated: true, from: version, version: to, sha256, provenBy: by, sessions }, () =>
    [
      `This machine runs ${to} now (before: ${version}). Back: claude-net update --back`,
      `Its sha256 is ${sha256}.${by === undefined ? '' : ` The hub has proven itself by ${by}.`}`,
      ...(sessions.length > 0
        ? ['These Claude Code sessions go on with the version before until they are restarted:']
        : []),
      ...sessions.map(({ pid, cwd }) => `  process ${pid}${cwd ? ` in ${cwd}` : ''}`),
    ].join('\n'),
  )
}

/** The client's bytes, as far as they may be: one more than `bytes` is enough to see that something is wrong. */
async function download(client: HubClient, bytes: number): Promise<Buffer> {
  const { method, path } = api.clientFile
  const response = await client.transport.request({
    method,
    path,
    headers: {},
    signal: AbortSignal.timeout(downloadMs),
  })
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      size += chunk.length
      if (size > bytes) break
    }
  } catch {
    throw notWhole()
  }
  return Buffer.concat(chunks)
}

/** Starts it with the Node that runs this one. Answers its version. */
async function expectRuns(path: string, wanted?: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [path, 'version', '--json']).catch(error => {
    throw new ClaudeNetError(
      'internal',
      `The other version does not run under this Node (${process.version}): ${(error as Error).message.split('\n')[0]}`,
      'Nothing was changed. Tell the admin of the hub.',
    )
  })
  const { version: found } = JSON.parse(stdout) as { version: string }
  if (wanted === undefined || found === wanted) return found
  throw notWhole()
}

function throwOldHub(error: unknown): never {
  if (!(error instanceof ClaudeNetError) || error.code !== 'not_found') throw error
  throw new ClaudeNetError(
    'not_found',
    'This hub is too old to hand out updates.',
    'Its admin should upgrade it first.',
  )
}

function notWhole(): ClaudeNetError {
  return new ClaudeNetError(
    'unavailable',
    'What came is not what the hub announced: the line broke, or the hub was upgraded meanwhile.',
    'Nothing was changed. Run it again.',
  )
}

/** Another build beside the client, named so that Node takes it for a module: `claude-net.previous.mjs`. */
function beside({ clientFile }: Home, which: 'next' | 'previous'): string {
  return clientFile.replace(/\.mjs$/, `.${which}.mjs`)
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
