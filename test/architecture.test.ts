import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { expect, test } from 'vitest'

/**
 * Allowed imports between rooms. A room is a directory; each file directly in `hub/` is a room of its own. Every room may import text and
 * disk, which import nothing.
 */
const arrows: Record<string, string[]> = {
  cli: ['claude', 'mcp', 'notice', 'client', 'protocol', 'systemd'],
  claude: ['protocol'],
  mcp: ['notice', 'client', 'protocol'],
  notice: ['client', 'protocol'],
  client: ['protocol'],
  demo: [],
  service: ['hub/config', 'protocol', 'systemd'],
  systemd: ['protocol'],
  'hub/serve.ts': ['hub/*.ts', 'hub/config', 'hub/keeping', 'hub/start'],
  'hub/start': [
    'hub/*.ts',
    'hub/config',
    'hub/http',
    'hub/identity',
    'hub/journal',
    'hub/keeping',
    'hub/reading',
    'hub/seeing',
    'hub/sharing',
    'hub/state',
    'protocol',
  ],
  'hub/http': [
    'hub/auth',
    'hub/hub.ts',
    'hub/config',
    'hub/identity',
    'hub/keeping',
    'hub/seeing',
    'hub/sharing',
    'hub/state',
    'hub/outgoing-admin.ts',
    'hub/telegram-admin.ts',
    'protocol',
  ],
  'hub/outgoing-admin.ts': ['protocol'],
  'hub/outgoing.ts': ['hub/hub.ts', 'hub/journal', 'hub/outgoing-admin.ts', 'hub/state', 'protocol'],
  'hub/webhooks': ['hub/hub.ts', 'hub/journal', 'hub/outgoing-admin.ts', 'hub/state', 'protocol'],
  'hub/telegram': ['hub/hub.ts', 'hub/state', 'hub/telegram-admin.ts', 'hub/config', 'protocol'],
  'hub/telegram/bridge.ts': [
    'hub/hub.ts',
    'hub/seeing',
    'hub/sharing',
    'hub/state',
    'hub/telegram',
    'hub/telegram-admin.ts',
    'hub/config',
    'hub/telegram/out',
    'hub/telegram/session.ts',
    'protocol',
  ],
  'hub/telegram/session.ts': [
    'hub/hub.ts',
    'hub/seeing',
    'hub/telegram',
    'hub/config',
    'hub/telegram/in',
    'hub/telegram/out',
  ],
  'hub/telegram/in': ['hub/hub.ts', 'hub/seeing', 'hub/state', 'hub/telegram', 'hub/config', 'protocol'],
  'hub/telegram/out': ['hub/hub.ts', 'hub/state', 'hub/telegram', 'hub/config', 'protocol'],
  'hub/telegram-admin.ts': ['protocol'],
  'hub/keeping': ['hub/config', 'hub/hub.ts', 'hub/journal', 'hub/lock.ts', 'hub/sharing', 'hub/state', 'protocol'],
  'hub/auth': ['hub/hub.ts', 'hub/state', 'protocol'],
  'hub/admin-token.ts': ['hub/hub.ts', 'hub/state', 'protocol'],
  'hub/hub.ts': ['hub/journal', 'hub/push', 'hub/reading', 'hub/sharing', 'hub/state', 'hub/upkeep', 'protocol'],
  'hub/upkeep': ['hub/push', 'hub/reading', 'hub/sharing', 'hub/state'],
  'hub/sharing': ['hub/journal', 'hub/push', 'hub/state', 'protocol'],
  'hub/journal-commands.ts': [
    'hub/hub.ts',
    'hub/journal',
    'hub/config',
    'hub/keeping',
    'hub/lock.ts',
    'hub/open-hub.ts',
    'hub/state',
    'protocol',
  ],
  'hub/open-hub.ts': ['hub/hub.ts', 'hub/journal', 'hub/sharing', 'hub/state', 'protocol'],
  'hub/reading': ['hub/state', 'protocol'],
  'hub/loop-brake.ts': ['hub/config', 'hub/hub.ts', 'hub/journal', 'hub/state', 'protocol'],
  'hub/journal': ['hub/state', 'protocol'],
  'hub/push': ['hub/state', 'protocol'],
  'hub/identity': ['protocol'],
  'hub/lock.ts': ['hub/state', 'protocol'],
  'hub/damage.ts': ['hub/admin-token.ts', 'hub/reading', 'hub/state', 'protocol'],
  'hub/seeing': ['hub/auth', 'hub/hub.ts', 'hub/journal', 'hub/state', 'protocol'],
  'hub/config': ['hub/journal', 'hub/state', 'protocol'],
  'hub/state': ['protocol'],
  console: ['protocol'],
  protocol: ['../package.json'],
  text: [],
  disk: [],
}

/** Imports allowed only by `await import(…)`, for code that is loaded on demand. A machine does not have the first three. */
const lazyArrows: Record<string, string[]> = {
  cli: ['hub/serve.ts', 'demo', 'service'],
  'hub/http': ['mcp', 'hub/webhooks'],
  'hub/start': ['hub/telegram/bridge.ts'],
  'hub/outgoing.ts': ['hub/webhooks'],
}

/** Rooms within a room; the arrows of the outer room apply to its other files. */
const innerRooms = Object.keys(arrows).filter(room => room.startsWith('hub/telegram/'))

const roomOf = (file: string) =>
  file.startsWith('..')
    ? file
    : (innerRooms.find(room => file === room || file.startsWith(`${room}/`)) ??
      file.split('/', file.startsWith('hub/') ? 2 : 1).join('/'))

/** A relative import in a file: its target, whether it is lazy, and the number and text of the line on which it ends. */
interface Import {
  to: string
  isLazy: boolean
  number: number
  line: string
}

function importsIn(path: string, text: string): Import[] {
  return [...text.matchAll(/\b(?:from|import)\s*(\()?\s*'(\.[^']*)'/g)].map(
    ({ 0: match, 1: lazy, 2: target, index }) => {
      const number = text.slice(0, index + match.length).split('\n').length
      const line = text.split('\n')[number - 1]!.trim()
      return { to: join(dirname(path), target!), isLazy: lazy !== undefined, number, line }
    },
  )
}

/** The text of every file under `src`, by its path there. */
const sources = new Map(
  globSync('**/*.{ts,tsx}', { cwd: resolve('src') })
    .filter(path => !path.endsWith('.test.ts'))
    .map(path => [path, readFileSync(join('src', path), 'utf8')]),
)

/** The imports of every file under `src`. */
const imports = new Map([...sources].map(([path, text]) => [path, importsIn(path, text)]))

/** Returns every forbidden import of these files, as `file:line: the line (why)`. */
function wrongImports(files: ReadonlyMap<string, readonly Import[]>): string[] {
  const wrong: string[] = []
  for (const [path, found] of files) {
    for (const { to, isLazy, number, line } of found) {
      const say = (why: string) => wrong.push(`${path}:${number}: ${line} (${why})`)
      const [from, room] = [roomOf(path), roomOf(to)]
      const allowed = [from, 'text', 'disk', ...(arrows[from] ?? []), ...(isLazy ? (lazyArrows[from] ?? []) : [])]
      const isAllowed = allowed.includes(room) || (allowed.includes('hub/*.ts') && /^hub\/[^/]+\.ts$/.test(room))
      if (!arrows[from]) say(`${from} is a new room: give it its arrows here`)
      else if (!isAllowed) say(`${from} may import ${arrows[from].join(', ') || 'no other room'}`)
      else if (from === room && to === `${room}/index.ts`) say('a room does not import its own index')
    }
  }
  const graph = new Map([...files].map(([path, found]) => [path, found.map(({ to }) => to)]))
  return [...wrong, ...cyclesIn(graph).map(cycle => `${cycle.join(' → ')} (a cycle)`)]
}

/** Returns each cycle that a walk from every file finds, once. */
function cyclesIn(graph: ReadonlyMap<string, string[]>): string[][] {
  const [cycles, done] = [[] as string[][], new Set<string>()]
  const walk = (file: string, trail: string[]) => {
    if (trail.includes(file)) cycles.push([...trail.slice(trail.indexOf(file)), file])
    else if (!done.has(file)) for (const next of graph.get(file) ?? []) walk(next, [...trail, file])
    done.add(file)
  }
  for (const file of graph.keys()) walk(file, [])
  return cycles
}

test('every import under src follows the arrows, and none makes a cycle', () => {
  expect(wrongImports(imports)).toEqual([])
})

test.for([
  ['text/spans.ts', `import '../protocol/names.ts'`, 'text may import no other room'],
  ['client/home.ts', `import {\n  quote,\n} from '../mcp/inbox-text.ts'`, 'client may import protocol'],
  ['mcp/result.ts', `import '../claude/settings.ts'`, 'mcp may import notice, client, protocol'],
  ['demo/demo.ts', `import type { Home } from '../client/home.ts'`, 'demo may import no other room'],
  [
    'cli/send.ts',
    `import { serve } from '../hub/serve.ts'`,
    'cli may import claude, mcp, notice, client, protocol, systemd',
  ],
  ['cli/send.ts', `await import('../hub/hub.ts')`, 'cli may import claude, mcp, notice, client, protocol, systemd'],
  ['hub/http/health.ts', `export * from '../journal/local.ts'`, 'hub/http may import'],
  ['hub/push/wakes.ts', `import '../journal/journal.ts'`, 'hub/push may import hub/state, protocol'],
  ['hub/state/apply/apply.ts', `import '../../hub.ts'`, 'hub/state may import protocol'],
  ['hub/serve.ts', `import '../cli/output.ts'`, 'hub/serve.ts may import'],
  ['hub/start/serve.ts', `import '../telegram/bridge.ts'`, 'hub/start may import'],
  ['hub/telegram/mail.ts', `import '../journal/local.ts'`, 'hub/telegram may import'],
  ['protocol/names.ts', `import '../../test/support/temp.ts'`, 'protocol may import ../package.json'],
  ['hub/telephone/ring.ts', `import '../hub.ts'`, 'hub/telephone is a new room'],
  ['mcp/result.ts', `import './index.ts'`, 'a room does not import its own index'],
  ['protocol/ids.ts', `import './messages.ts'`, 'a cycle'],
] as const)('a wrong import in %s is named with its line: %s', ([file, line, why]) => {
  // A room that does not exist yet has no source text.
  const text = `${sources.get(file) ?? ''}\n${line}\n`
  const found = wrongImports(new Map(imports).set(file, importsIn(file, text))).filter(text => text.includes(why))
  if (why === 'a cycle') expect(found).toContainEqual(expect.stringMatching(/protocol\/ids\.ts.* → .*\(/))
  else expect(found).toContainEqual(expect.stringContaining(`: ${line.split('\n').at(-1)} (${why}`))
})

test('connections to a hub are opened only in these places, each of which names the key to be proven', () => {
  const src = join(import.meta.dirname, '../src')
  const opens =
    /\bnew (DirectTransport|SshTransport|Connections)\(|\bopenTransport\(|(?<!\.)\b(httpRequest|httpsRequest|fetch)\(/
  const files = globSync('{cli,client,mcp,notice,claude,protocol}/**/*.ts', { cwd: src })
    .filter(path => !path.endsWith('.test.ts') && opens.test(readFileSync(join(src, path), 'utf8')))
    .sort()
  expect(files).toEqual([
    'cli/admin-socket.ts', // the socket of the hub, whose owner needs no token
    'cli/admin.ts', // --hub-key
    'cli/join.ts', // the key in the join line
    'cli/pin.ts', // the key that was just proven
    'cli/reachable.ts', // the hub's own key, and no secret is sent
    'client/machine.ts', // hubKey of config.json
    'client/prove-hub.ts', // any key, and no secret is sent
    'client/transport/connections.ts',
    'client/transport/direct.ts',
    'client/transport/open.ts',
    'client/transport/ssh.ts',
  ])
})

/**
 * Allowed imports of the rooms of `prove/`, by their path from the root of the project: none of tests or benches; the checker imports
 * nothing of the hub.
 */
const proveArrows: Record<string, string[]> = {
  'prove/checker': ['src/protocol'],
  'prove/sim': [
    'prove/checker',
    'prove/part.ts',
    'prove/summary.ts',
    'src/client',
    'src/hub',
    'src/notice',
    'src/protocol',
  ],
  'prove/fuzz': ['prove/sim/random.ts', 'src/client', 'src/hub', 'src/notice', 'src/protocol'],
  'prove/main.ts': ['prove/'],
  'prove/parallel.ts': ['prove/part.ts', 'prove/summary.ts'],
  'prove/part.ts': ['prove/checker'],
  'prove/plant.ts': [],
  'prove/progress.ts': ['prove/summary.ts'],
  'prove/real': [
    'test/support/etcd.ts',
    'prove/checker',
    'prove/part.ts',
    'prove/plant.ts',
    'prove/sim/random.ts',
    'src/client',
    'src/hub',
    'src/protocol',
  ],
  'prove/summary.ts': ['prove/part.ts', 'prove/sim/faults.ts'],
  'prove/try-planted.ts': ['prove/parallel.ts', 'prove/part.ts', 'prove/plant.ts'],
}

test('prove/ imports the program in one direction, and the program imports nothing of it', () => {
  const root = join(import.meta.dirname, '..')
  const wrong: string[] = []
  for (const path of globSync('{src,bench,prove}/**/*.{ts,tsx}', { cwd: root }).filter(
    name => !/\.test\.ts/.test(name),
  )) {
    const room = path.split('/', 2).join('/')
    const allowed = [room, ...(proveArrows[room] ?? [])]
    for (const [, target] of readFileSync(join(root, path), 'utf8').matchAll(
      /\b(?:from|import)\s*\(?\s*'(\.[^']*)'/g,
    )) {
      const to = relative(root, resolve(root, dirname(path), target!))
      const isAllowed = path.startsWith('prove/') ? allowed.some(each => to.startsWith(each)) : !to.startsWith('prove/')
      if (!isAllowed) wrong.push(`${path} may not import ${to}`)
    }
  }
  expect(wrong).toEqual([])
})
