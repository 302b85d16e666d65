// Measures the hub and the machine's side as they are installed, each figure beside a yardstick measured in the same minutes.
// bench/README.md describes the rows.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { Bench } from './bench.ts'
import { describeMachine, watchOthers } from './machine.ts'
import { killAll, program } from './processes.ts'
import { profile, profileTable } from './profile.ts'
import { type Row, verdict } from './row.ts'
import { broadcast } from './rows/broadcast.ts'
import { emptyInbox } from './rows/empty-inbox.ts'
import { eventLatency } from './rows/event-latency.ts'
import { idleCpu } from './rows/idle-cpu.ts'
import { install } from './rows/install.ts'
import { manyHubs } from './rows/many-hubs.ts'
import { mcpServer } from './rows/mcp.ts'
import { memory } from './rows/memory.ts'
import { readAndAck } from './rows/read-ack.ts'
import { sends } from './rows/sends.ts'
import { slowFsync } from './rows/slow-fsync.ts'
import { throughSsh } from './rows/ssh.ts'
import { stored } from './rows/stored.ts'
import { overTls } from './rows/tls.ts'
import { tokens } from './rows/tokens.ts'
import { table } from './table.ts'

/** Every measurement by the name that `--only` takes, in the order of the table. */
const measurements: Record<string, (bench: Bench) => Promise<Row[]>> = {
  sends,
  'slow-fsync': slowFsync,
  'event-latency': eventLatency,
  'read-ack': readAndAck,
  'empty-inbox': emptyInbox,
  stored,
  broadcast,
  memory,
  'idle-cpu': idleCpu,
  tls: overTls,
  'many-hubs': manyHubs,
  mcp: mcpServer,
  tokens,
  install,
  ssh: throughSsh,
}

interface Options {
  only?: string[]
  quick?: boolean
  full?: boolean
  json?: boolean
  write?: boolean
  profile?: boolean
  dir: string
}

const names = Object.keys(measurements)
const options = new Command('npm run bench --')
  .description(
    'Measure Claude Net against yardsticks taken in the same run; prints progress to stderr and one table to stdout.',
  )
  .option('--only <row...>', `Measure only these: ${names.join(', ')}`)
  .option('--quick', 'Use short rounds and few clients, to check that everything works')
  .option('--full', 'Store a million messages instead of 100,000 in empty-inbox and stored')
  .option('--json', 'Print JSON, with every round')
  .option('--write', 'Also write the table to bench/README.md')
  .option('--profile', 'Instead, show where the processor time of a send, a read and a start is spent')
  .option('--dir <dir>', 'Directory of the stores; choose one on the disk to be measured', tmpdir())
  .helpOption('-h, --help', 'Show this help')
  .addHelpText('after', '\nNothing fails because it is slow: a missed budget is printed, and the exit status stays 0.')
  .parse()
  .opts<Options>()

const unknown = options.only?.find(name => !names.includes(name))
if (unknown) stop(`There is no row '${unknown}'. Rows: ${names.join(', ')}`, 2)
if (!existsSync(program)) stop('dist/ is missing: npm run build', 1)

process.on('exit', killAll)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const startedAt = performance.now()
const { quick = false, full = false, dir } = options
let current = ''
const say = (text: string) => process.stderr.write(`bench: ${current}: ${text}\n`)
using bench = new Bench({ dir, quick, full, say })
process.on('exit', () => bench[Symbol.dispose]())

if (options.profile) {
  current = 'profile'
  const shares = await profile(bench)
  console.log(options.json ? JSON.stringify(shares, null, 2) : profileTable(shares))
  process.exit(0)
}

const machine = describeMachine(dir)
const othersSince = watchOthers()
const rows: Row[] = []
const failed: string[] = []
for (const name of options.only ?? names) {
  current = name
  say('starts')
  try {
    rows.push(...(await measurements[name]!(bench)))
  } catch (error) {
    // The other rows are still measured, since a whole run takes minutes.
    say(`failed: ${(error as Error).stack}`)
    failed.push(name)
  }
}

const seconds = Math.round((performance.now() - startedAt) / 1000)
const others = Math.ceil(othersSince() * 100)
const date = new Date().toISOString().slice(0, 10)
const command = ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' ')
const text = `${date}, ${machine}
\`${command}\`, ${seconds} s, during which others had ${others} % of the cores.

${table(rows)}
`
if (options.json) {
  const withVerdicts = rows.map(row => ({ ...row, verdict: verdict(row) }))
  console.log(JSON.stringify({ date, machine, command, seconds, othersPercent: others, rows: withVerdicts }, null, 2))
} else console.log(text)
if (failed.length > 0)
  stop(
    `Failed, for the reasons above: ${failed.join(', ')}.${options.write ? ' bench/README.md is unchanged.' : ''}`,
    1,
  )
if (options.write) writeResults(text)

/** Replaces the text between the two marks in bench/README.md. */
function writeResults(results: string): void {
  const path = join(import.meta.dirname, 'README.md')
  const readme = readFileSync(path, 'utf8')
  const marks = /(<!-- results -->\n)[\s\S]*(<!-- end of results -->)/
  writeFileSync(
    path,
    readme.replace(marks, (_, start: string, end: string) => `${start}\n${results}\n${end}`),
  )
}

function stop(why: string, status: number): never {
  console.error(why)
  process.exit(status)
}
