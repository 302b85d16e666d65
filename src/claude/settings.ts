import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { hookSettings, isOurHook } from './hooks.ts'
import { editJson, isObject, type Json, objectAt, readJson } from './json-file.ts'

/** The name under which Claude Code knows our MCP server. */
export const serverName = 'claude-net'

/** The rule that lets Claude call every tool of the server without asking each time. */
export const permissionRule = `mcp__${serverName}`

/** The two files of Claude Code that are touched, for one user. */
export interface ClaudeFiles {
  /** Servers of the user's and of each project's scope: `~/.claude.json`. */
  state: string
  /** Permission rules and hooks: `~/.claude/settings.json`. */
  settings: string
}

/** One change to Claude Code's files, for people to read before it is made. */
export interface Change {
  file: string
  text: string
}

/** Where Claude Code keeps its files, or undefined where there is no sign of it. */
export function findClaude(env: NodeJS.ProcessEnv = process.env): ClaudeFiles | undefined {
  const custom = env.CLAUDE_CONFIG_DIR
  const files = custom
    ? { state: join(custom, '.claude.json'), settings: join(custom, 'settings.json') }
    : { state: join(homedir(), '.claude.json'), settings: join(homedir(), '.claude', 'settings.json') }
  const onPath = (env.PATH ?? '').split(':').some(dir => dir !== '' && existsSync(join(dir, 'claude')))
  const present = onPath || existsSync(files.state) || existsSync(custom ?? join(homedir(), '.claude'))
  return present ? files : undefined
}

/** What `register` would change; empty when everything is in place. */
export function plannedChanges({ state, settings }: ClaudeFiles, launcher: string): Change[] {
  const changes: Change[] = []
  const json = readJson(state)
  const present = serverIn(json)
  if (!isSame(present, entryFor(launcher))) {
    const instead = present ? `, instead of: ${commandLine(present)}` : ''
    changes.push({ file: state, text: `MCP server '${serverName}' for all projects: ${launcher} mcp${instead}` })
  }
  for (const [project, entry] of projectEntries(json)) {
    changes.push({
      file: state,
      text: `without '${serverName}' in ${project}, which would hide it: ${commandLine(entry)}`,
    })
  }
  const inSettings = readJson(settings)
  if (!rulesIn(inSettings).includes(permissionRule)) {
    changes.push({ file: settings, text: `permission rule '${permissionRule}': its tools are used without asking` })
  }
  if (!hasHooks(inSettings, launcher)) {
    const events = Object.keys(hookSettings(launcher)).join(', ')
    changes.push({
      file: settings,
      text: `hooks on ${events}: they tell a session of new mail, and wake it: ${launcher} hook`,
    })
  }
  return changes
}

/** Registers the MCP server for all projects of this user and allows its tools. Answers the backups of what was there. */
export function register({ state, settings }: ClaudeFiles, launcher: string): string[] {
  const changed = new Set(plannedChanges({ state, settings }, launcher).map(({ file }) => file))
  const backups: (string | undefined)[] = []
  if (changed.has(state)) {
    backups.push(
      editJson(state, json => {
        objectAt(json, 'mcpServers')[serverName] = entryFor(launcher)
        removeFromProjects(json)
      }),
    )
  }
  if (changed.has(settings)) {
    backups.push(
      editJson(settings, json => {
        const rules = rulesIn(json)
        if (!rules.includes(permissionRule)) objectAt(json, 'permissions').allow = [...rules, permissionRule]
        if (!hasHooks(json, launcher)) writeHooks(json, launcher)
      }),
    )
  }
  return backups.filter(backup => backup !== undefined)
}

/** Takes our server and our rule out again. Answers whether there was anything. */
export function unregister({ state, settings }: ClaudeFiles): boolean {
  const hadServer = serverIn(readJson(state)) !== undefined
  const hadRule = rulesIn(readJson(settings)).includes(permissionRule)
  const hadHooks = ourHooks(readJson(settings)).length > 0
  if (hadServer) editJson(state, json => delete objectAt(json, 'mcpServers')[serverName])
  if (hadRule) {
    editJson(settings, json => {
      objectAt(json, 'permissions').allow = rulesIn(json).filter(rule => rule !== permissionRule)
    })
  }
  if (hadHooks) editJson(settings, removeHooks)
  return hadServer || hadRule || hadHooks
}

function entryFor(launcher: string): Json {
  return { type: 'stdio', command: launcher, args: ['mcp'], env: {}, alwaysLoad: true }
}

function serverIn(json: Json): Json | undefined {
  const servers = json.mcpServers
  const entry = isObject(servers) ? servers[serverName] : undefined
  return isObject(entry) ? entry : undefined
}

/** Entries of the same name that belong to one project only: Claude Code prefers them over the user's. */
function projectEntries(json: Json): [project: string, entry: Json][] {
  if (!isObject(json.projects)) return []
  return Object.entries(json.projects).flatMap(([project, settings]) => {
    const entry = isObject(settings) ? serverIn(settings) : undefined
    return entry ? [[project, entry] as [string, Json]] : []
  })
}

function removeFromProjects(json: Json): void {
  for (const [project] of projectEntries(json))
    delete objectAt(objectAt(objectAt(json, 'projects'), project), 'mcpServers')[serverName]
}

function rulesIn(json: Json): unknown[] {
  const permissions = json.permissions
  return isObject(permissions) && Array.isArray(permissions.allow) ? permissions.allow : []
}

/** A group of hooks in somebody's settings: those that run for one matcher. */
type HookGroup = Json & { hooks: unknown[] }

function hookGroups(json: Json): [event: string, group: HookGroup][] {
  if (!isObject(json.hooks)) return []
  return Object.entries(json.hooks).flatMap(([event, groups]) =>
    (Array.isArray(groups) ? groups : []).flatMap(group =>
      isObject(group) && Array.isArray(group.hooks) ? [[event, group as HookGroup] as [string, HookGroup]] : [],
    ),
  )
}

function ourHooks(json: Json): [event: string, hook: unknown][] {
  return hookGroups(json).flatMap(([event, { hooks }]) =>
    hooks.filter(isOurHook).map(hook => [event, hook] as [string, unknown]),
  )
}

/** Whether our hooks are there as this version wants them, and no others of ours. */
function hasHooks(json: Json, launcher: string): boolean {
  const wanted = Object.entries(hookSettings(launcher)).flatMap(([event, groups]) =>
    groups.flatMap(({ hooks }) => hooks.map(hook => [event, hook])),
  )
  const sorted = (hooks: unknown[]) => JSON.stringify(hooks.map(hook => JSON.stringify(hook)).sort())
  return sorted(ourHooks(json)) === sorted(wanted)
}

function writeHooks(json: Json, launcher: string): void {
  removeHooks(json)
  const hooks = objectAt(json, 'hooks')
  for (const [event, groups] of Object.entries(hookSettings(launcher))) {
    hooks[event] = [...(Array.isArray(hooks[event]) ? hooks[event] : []), ...groups]
  }
}

/** Takes our hooks out, and what has become empty by that. */
function removeHooks(json: Json): void {
  if (!isObject(json.hooks)) return
  for (const [event, groups] of Object.entries(json.hooks)) {
    if (!Array.isArray(groups)) continue
    const left = groups.flatMap(group => {
      if (!isObject(group) || !Array.isArray(group.hooks) || !group.hooks.some(isOurHook)) return [group]
      const hooks = group.hooks.filter(hook => !isOurHook(hook))
      return hooks.length > 0 ? [{ ...group, hooks }] : []
    })
    if (left.length > 0) json.hooks[event] = left
    else delete json.hooks[event]
  }
  if (Object.keys(json.hooks).length === 0) delete json.hooks
}

function isSame(present: Json | undefined, wanted: Json): boolean {
  return present !== undefined && JSON.stringify(present) === JSON.stringify(wanted)
}

function commandLine({ command, args, url }: Json): string {
  return [command ?? url, ...(Array.isArray(args) ? args : [])].filter(part => typeof part === 'string').join(' ')
}
