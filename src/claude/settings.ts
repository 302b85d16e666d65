import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { isWsl, thisPlatform } from '../disk/platform.ts'
import { userHome } from '../disk/user-home.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { isOurHook, userHookSettings } from './hooks.ts'
import { editJson, isObject, type Json, objectAt, readJson, whyNotEditable } from './json-file.ts'
import { isPluginEnabled, pluginName, pluginPermissionRule } from './plugin.ts'
import { refuseOddShapes, settingsShape, stateShape } from './shapes.ts'

/** Name of our MCP server in Claude Code. */
export const serverName = 'claude-net'

/** The rule that lets Claude call every tool of the server without asking each time. */
export const permissionRule = `mcp__${serverName}`

const ourRules = [permissionRule, pluginPermissionRule]

/** The two files of Claude Code that are changed, for one user. */
export interface ClaudeFiles {
  /** Servers of the user and of each project: `~/.claude.json`. */
  state: string
  /** Permission rules and hooks: `~/.claude/settings.json`. */
  settings: string
}

/** One change to Claude Code's files, shown to the user before it is made. */
export interface Change {
  file: string
  /** The entry that is added or removed. */
  text: string
  goes?: true
  /** Why the file cannot be written, as the system's error code. */
  why?: string
}

/** Result of changing Claude Code's files. */
export interface Registered {
  /** Paths of the copies of the previous files. */
  backups: string[]
  /** The files that could not be written, and the JSON that the user must add to each by hand. */
  byHand: { file: string; why: string; add: Json }[]
}

/** Returns the paths of Claude Code's files; undefined where Claude Code is not installed for this user. */
export function findClaude(env: NodeJS.ProcessEnv = process.env, platform = thisPlatform): ClaudeFiles | undefined {
  const custom = env.CLAUDE_CONFIG_DIR
  const home = userHome()
  const dir = custom || (home && join(home, '.claude'))
  if (!dir) return undefined
  const files = { state: join(custom || home!, '.claude.json'), settings: join(dir, 'settings.json') }
  // WSL appends the PATH of Windows to its own: a Claude Code found there reads the settings of the user on Windows.
  const ofWindows = isWsl(platform) ? /^\/mnt\/[a-z]\// : undefined
  const isHere = (dir: string) => dir !== '' && !ofWindows?.test(dir) && existsSync(join(dir, 'claude'))
  const onPath = (env.PATH ?? '').split(':').some(isHere)
  const present = onPath || existsSync(files.state) || existsSync(dir)
  return present ? files : undefined
}

/** A change and the function that makes it. */
interface Edit extends Change {
  apply: (json: Json) => void
}

/**
 * Returns the changes that `register` would make; empty if nothing is missing. Throws `invalid` if a file is malformed, or has a value of
 * another type where we would write.
 */
export function plannedChanges(files: ClaudeFiles, launcher: string): Change[] {
  return missingEdits(files, launcher).map(({ apply, ...change }) => {
    const why = whyNotEditable(change.file)
    return why === undefined ? change : { ...change, why }
  })
}

/** Returns a phrase for where Claude Code has the server and its permission, once nothing is missing. */
export function placesOf({ state, settings }: ClaudeFiles): string {
  const server = isPluginEnabled(readJson(settings)) ? `the plugin ${pluginName} is enabled` : `registered in ${state}`
  return `${server}, allowed in ${settings}`
}

/** Makes the changes that `plannedChanges` lists. */
export function register(files: ClaudeFiles, launcher: string): Registered {
  return applyAll(missingEdits(files, launcher))
}

/** Returns the permission rules that the tools need: for the server that join registers, for that of the plugin, or both. */
export function wantedRules({ state, settings }: ClaudeFiles): string[] {
  const hasPlugin = isPluginEnabled(readJson(settings))
  const isRegistered = serverIn(readJson(state)) !== undefined
  return [...(hasPlugin ? [pluginPermissionRule] : []), ...(isRegistered || !hasPlugin ? [permissionRule] : [])]
}

/** Returns our rules that the settings contain. */
export function presentRules({ settings }: ClaudeFiles): string[] {
  return ourRules.filter(rule => rulesIn(readJson(settings)).includes(rule))
}

/** Adds or removes rules. Returns the path of the backup; undefined if the file is new. */
export function changeRules(
  { settings }: ClaudeFiles,
  change: { add: string[] } | { remove: string[] },
): string | undefined {
  return editJson(settings, 'add' in change ? addRules(change.add) : removeRules(change.remove))
}

/**
 * Returns all changes that are needed. With the plugin enabled, the server and hooks are the plugin's: those that join registered would be
 * duplicates and are removed, and only the permission rule is needed.
 */
function missingEdits({ state, settings }: ClaudeFiles, launcher: string): Edit[] {
  const edits: Edit[] = []
  const [json, inSettings] = [readJson(state), readJson(settings)]
  refuseOddShapes(state, json, stateShape)
  refuseOddShapes(settings, inSettings, settingsShape)
  const present = serverIn(json)
  const hasPlugin = isPluginEnabled(inSettings)
  if (hasPlugin && present) {
    const text = `MCP server '${serverName}', registered twice: the plugin ${pluginName} has its own`
    edits.push({ file: state, text, goes: true, apply: removeServer })
  }
  if (!hasPlugin && !isRegistration(present, launcher)) {
    const instead = present ? `, instead of: ${commandLine(present)}` : ''
    const text = `MCP server '${serverName}' for all projects: ${launcher} mcp${instead}`
    edits.push({ file: state, text, apply: json => (objectAt(json, 'mcpServers')[serverName] = entryFor(launcher)) })
  }
  for (const [project, entry] of projectEntries(json)) {
    const text = `'${serverName}' in ${project}, which would hide it: ${commandLine(entry)}`
    edits.push({ file: state, text, goes: true, apply: json => removeFromProject(json, project) })
  }
  const rule = hasPlugin ? pluginPermissionRule : permissionRule
  if (!rulesIn(inSettings).includes(rule)) {
    const text = `permission rule '${rule}': its tools are used without asking`
    edits.push({ file: settings, text, apply: addRules([rule]) })
  }
  if (hasPlugin && ourHooks(inSettings).length > 0) {
    const text = `hooks of claude-net, registered twice: the plugin ${pluginName} has its own`
    edits.push({ file: settings, text, goes: true, apply: removeHooks })
  }
  if (!hasPlugin && present?.type !== 'http' && !hasHooks(inSettings, launcher)) {
    const events = Object.keys(userHookSettings(launcher)).join(', ')
    const text = `hooks on ${events}: they notify a session of new messages, wake it, and record an open permission prompt: ${launcher} hook`
    edits.push({ file: settings, text, apply: json => writeHooks(json, launcher) })
  }
  return edits
}

/** Applies the edits, rewriting each file once. A file that cannot be written does not prevent the others. */
function applyAll(edits: Edit[]): Registered {
  const done: Registered = { backups: [], byHand: [] }
  for (const file of new Set(edits.map(each => each.file))) {
    const apply = (json: Json) => {
      for (const edit of edits) if (edit.file === file) edit.apply(json)
    }
    const why = whyNotEditable(file)
    try {
      if (why !== undefined) throw new ClaudeNetError('unavailable', `${file} cannot be written (${why}).`, '')
      const backup = editJson(file, apply)
      if (backup !== undefined) done.backups.push(backup)
    } catch (error) {
      if (!(error instanceof ClaudeNetError) || error.code !== 'unavailable') throw error
      const add: Json = {}
      apply(add)
      done.byHand.push({ file, why: error.message, add })
    }
  }
  return done
}

/**
 * Removes our server, rules and hooks. Returns whether there were any, and a sentence for each file that could not be written. Throws,
 * before anything is changed, if a file is malformed.
 */
export function unregister(files: ClaudeFiles): { hadAny: boolean; notWritten: string[] } {
  const [state, settings] = [readJson(files.state), readJson(files.settings)]
  const edits: Edit[] = []
  if (serverIn(state)) edits.push({ file: files.state, text: '', goes: true, apply: removeServer })
  const rules = presentRules(files)
  const apply = (json: Json) => {
    removeRules(rules)(json)
    removeHooks(json)
  }
  if (rules.length > 0 || ourHooks(settings).length > 0)
    edits.push({ file: files.settings, text: '', goes: true, apply })
  return { hadAny: edits.length > 0, notWritten: applyAll(edits).byHand.map(({ why }) => why) }
}

function addRules(rules: string[]): Edit['apply'] {
  return json => (objectAt(json, 'permissions').allow = [...new Set([...rulesIn(json), ...rules])])
}

function removeRules(rules: string[]): Edit['apply'] {
  return json => {
    const left = rulesIn(json).filter(rule => !rules.includes(rule as string))
    if (rules.length > 0) objectAt(json, 'permissions').allow = left
  }
}

function removeServer(json: Json): void {
  delete objectAt(json, 'mcpServers')[serverName]
}

function entryFor(launcher: string): Json {
  return { type: 'stdio', command: launcher, args: ['mcp'], env: {}, alwaysLoad: true }
}

function serverIn(json: Json): Json | undefined {
  const servers = json.mcpServers
  const entry = isObject(servers) ? servers[serverName] : undefined
  return isObject(entry) ? entry : undefined
}

/** Returns the entries of the same name that belong to one project only: Claude Code prefers them to the user's. */
function projectEntries(json: Json): [project: string, entry: Json][] {
  if (!isObject(json.projects)) return []
  return Object.entries(json.projects).flatMap(([project, settings]) => {
    const entry = isObject(settings) ? serverIn(settings) : undefined
    return entry ? [[project, entry] as [string, Json]] : []
  })
}

function removeFromProject(json: Json, project: string): void {
  delete objectAt(objectAt(objectAt(json, 'projects'), project), 'mcpServers')[serverName]
}

function rulesIn(json: Json): unknown[] {
  const permissions = json.permissions
  return isObject(permissions) && Array.isArray(permissions.allow) ? permissions.allow : []
}

/** A group of hooks in a user's settings, which share a matcher. */
type SomeGroup = Json & { hooks: unknown[] }

function hookGroups(json: Json): [event: string, group: SomeGroup][] {
  if (!isObject(json.hooks)) return []
  return Object.entries(json.hooks).flatMap(([event, groups]) =>
    (Array.isArray(groups) ? groups : []).flatMap(group =>
      isObject(group) && Array.isArray(group.hooks) ? [[event, group as SomeGroup] as [string, SomeGroup]] : [],
    ),
  )
}

/** Returns our hooks, each with its event and matcher; an empty matcher is returned as undefined. */
function ourHooks(json: Json): [event: string, matcher: unknown, hook: unknown][] {
  return hookGroups(json).flatMap(([event, { matcher, hooks }]) =>
    hooks.filter(isOurHook).map(hook => [event, matcher || undefined, hook] as [string, unknown, unknown]),
  )
}

/** Reports whether the settings contain exactly our hooks of this version. */
function hasHooks(json: Json, launcher: string): boolean {
  const wanted = Object.entries(userHookSettings(launcher)).flatMap(([event, groups]) =>
    groups.flatMap(({ matcher, hooks }) => hooks.map(hook => [event, matcher, hook])),
  )
  const sorted = (hooks: unknown[]) => JSON.stringify(hooks.map(hook => JSON.stringify(hook)).sort())
  return sorted(ourHooks(json)) === sorted(wanted)
}

function writeHooks(json: Json, launcher: string): void {
  removeHooks(json)
  const hooks = objectAt(json, 'hooks')
  for (const [event, groups] of Object.entries(userHookSettings(launcher))) {
    hooks[event] = [...(Array.isArray(hooks[event]) ? hooks[event] : []), ...groups]
  }
}

/** Removes our hooks, and the groups and lists that become empty. */
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

/** Reports whether an entry is the one that join writes, or `POST /mcp` of a hub as `join --http` prints it. */
function isRegistration(present: Json | undefined, launcher: string): boolean {
  if (present?.type === 'http') return typeof present.url === 'string' && present.url.endsWith('/mcp')
  return JSON.stringify(present) === JSON.stringify(entryFor(launcher))
}

function commandLine({ command, args, url }: Json): string {
  return [command ?? url, ...(Array.isArray(args) ? args : [])].filter(part => typeof part === 'string').join(' ')
}
