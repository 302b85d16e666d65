import type { Config, Home } from '../client/home.ts'
import { findProject } from '../client/project/find-project.ts'
import { knownProjects, type NamedTwice, namesakes } from '../client/project/known-projects.ts'
import { isReachable, liveSessions } from '../notice/live-sessions.ts'
import { count } from '../text/spans.ts'
import type { Check } from './check.ts'
import { hereOrRoot } from './scope-here.ts'

/** Most projects and pairs of one name that are named. */
const maxNamed = 10

/** Reports the project of this directory and of each running session, and directories that compete for one name. */
export function projectChecks(home: Home, config: Config): Check[] {
  const link = 'project'
  if (config.shareProjects === false)
    return [{ link, state: 'ok', found: `none is shared, as ${home.configFile} says: every session sees all messages` }]
  const { name, from } = findProject(hereOrRoot(), home.dir, config)
  const here = name === undefined ? 'none here' : `${name} here, by ${from}`
  const found = [here, ...running(home)].join('; ')
  const clashes = namesakes(knownProjects(home.dir)).map(pair => clashCheck(home, pair))
  return [{ link, state: 'ok', found }, ...clashes.slice(0, maxNamed)]
}

function clashCheck(home: Home, { name, place, wanted, other }: NamedTwice): Check {
  return {
    link: 'project',
    state: 'warning',
    found: `${place} is '${name}', because ${other} is '${wanted}'`,
    mend: `For another name put into ${home.configFile}: "projects": {${JSON.stringify(place)}: "NAME"}`,
  }
}

/** The projects of the sessions that run now. */
function running(home: Home): string[] {
  const sessions = new Map<string, number>()
  for (const { project } of liveSessions(home.dir).filter(isReachable)) {
    const name = project || 'none'
    sessions.set(name, (sessions.get(name) ?? 0) + 1)
  }
  if (sessions.size === 0) return []
  const named = [...sessions].map(([name, n]) => `${name} (${n})`)
  const more = named.length > maxNamed ? ` and ${named.length - maxNamed} more` : ''
  return [
    `${count(
      [...sessions.values()].reduce((a, b) => a + b),
      'session',
    )} of ${named.slice(0, maxNamed).join(', ')}${more}`,
  ]
}
