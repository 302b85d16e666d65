import { Command } from 'commander'
import { Home } from '../client/home.ts'
import { notShared, sharesActivity } from '../notice/activity.ts'
import { type LiveSession, liveSessions } from '../notice/live-sessions.ts'
import { sessionDirOf, sessionKey } from '../notice/session-dir.ts'
import { readStatusLine, setStatusLine } from '../notice/status-line.ts'
import { maxLine } from '../protocol/activity.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { ago, count } from '../text/spans.ts'
import { visibleLine } from '../text/visible.ts'
import { print, table } from './output.ts'

interface StatusLineOptions {
  clear?: boolean
  session?: string
  json?: boolean
}

export function statusLineCommand(): Command {
  return new Command('status-line')
    .description('Show or set the line in which a session states what it works on')
    .argument('[text...]', `The line, at most ${maxLine} characters; everyone sees it in claude-net machines`)
    .option('--clear', 'Remove the line')
    .option('--session <name>', 'Session, by the beginning of its name (default: the one that this command runs in)')
    .option('--json', 'Print JSON')
    .action((words: string[], { clear, session, json }: StatusLineOptions) => {
      const home = new Home()
      home.credentials()
      const text = words.join(' ').trim()
      const sessions = liveSessions(home.dir).filter(({ hidden }) => !hidden)
      if (text === '' && !clear) {
        const lines = sessions.map(toShown)
        print({ json }, { shared: sharesActivity(home.dir), sessions: lines }, () => asTable(lines, home))
        return
      }
      if (!clear && !sharesActivity(home.dir)) throw notShared()
      const meant = sessionMeant(sessions, session)
      const line = setStatusLine(meant.dir, meant.instance, clear ? '' : text)
      print({ json }, { session: meant.session, status: line || null }, () =>
        line === '' ? `${meant.session} says nothing of itself now.` : `${meant.session} says: ${line}`,
      )
    })
}

/** The session that is named, else the one that this process runs in, else the only one. */
function sessionMeant(sessions: readonly LiveSession[], name: string | undefined): LiveSession {
  const key = name === undefined ? sessionKey(process.env) : undefined
  const here = key && sessionDirOf(key).key
  const own = here === undefined ? undefined : sessions.find(({ dir }) => dir.key === here)
  if (own) return own
  const found = name === undefined ? sessions : sessions.filter(({ session }) => session.startsWith(name))
  if (found.length === 1) return found[0]!
  const names = sessions.slice(0, 10).map(({ session }) => session)
  if (sessions.length === 0) {
    throw new ClaudeNetError(
      'not_found',
      'No session runs on this machine.',
      'Start Claude Code; the line goes with its session.',
    )
  }
  throw new ClaudeNetError(
    name === undefined ? 'invalid' : 'not_found',
    name === undefined
      ? `${count(sessions.length, 'session')} run on this machine.`
      : `${found.length === 0 ? 'No session' : 'More than one session'} of this machine is called '${visibleLine(name, 64)}'.`,
    `Name one with --session: ${names.join(', ')}.`,
  )
}

function toShown({ session, dir, instance }: LiveSession): {
  session: string
  status: string | null
  setAt: string | null
} {
  const file = readStatusLine(dir, instance)
  return { session, status: file?.text ?? null, setAt: file ? new Date(file.at).toISOString() : null }
}

function asTable(lines: readonly ReturnType<typeof toShown>[], home: Home): string {
  if (lines.length === 0) return 'No session runs on this machine.'
  const rows = lines.map(({ session, status, setAt }) => [
    session,
    setAt === null ? '' : ago(Date.parse(setAt), Date.now()),
    status === null ? '' : `> ${visibleLine(status, maxLine)}`,
  ])
  const note = sharesActivity(home.dir) ? [] : ['', 'Nobody else sees this: shareActivity in config.json is off.']
  return [table([['SESSION', 'SET', 'SAYS'], ...rows]), ...note].join('\n')
}
