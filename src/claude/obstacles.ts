import { isObject, type Json, readJson } from './json-file.ts'
import { allSettings, managedDir, managedServers, type SettingsFile } from './managed.ts'
import { isPluginEnabled, pluginName, pluginPermissionRule, pluginServerName } from './plugin.ts'
import { type ClaudeFiles, permissionRule, serverName } from './settings.ts'

/** A setting of Claude Code that undoes what is registered. */
export interface Obstacle {
  file: string
  /** The key in the file, its parts separated by dots. */
  key: string
  /** The consequence. */
  effect: string
  /** Whether Claude Code has none of the tools because of it. Otherwise they work with restrictions. */
  isOff: boolean
  of: SettingsFile['of']
}

/** The names of our server in Claude Code's settings. */
interface Subject {
  name: string
  rule: string
  hasPlugin: boolean
  entry: Json | undefined
}

const tools = ['claude_net_send', 'claude_net_inbox', 'claude_net_machines']

/**
 * Returns the settings that undo what `join` has registered, as Claude Code 2.1.332 reads its settings: managed ones, those of the user,
 * and those of the project in `cwd` and of the other projects in `state`. Throws `invalid` if a file of the user is malformed.
 */
export function obstacles({ state, settings }: ClaudeFiles, cwd: string, managed = managedDir()): Obstacle[] {
  const json = readJson(state)
  const projects = isObject(json.projects) ? json.projects : {}
  const files = allSettings(settings, [cwd, ...Object.keys(projects)], managed)
  const hasPlugin = isPluginEnabled(readJson(settings))
  const entry = isObject(json.mcpServers) ? json.mcpServers[serverName] : undefined
  const subject: Subject = hasPlugin
    ? { name: `plugin:${pluginName}:${pluginServerName}`, rule: pluginPermissionRule, hasPlugin, entry: undefined }
    : { name: serverName, rule: permissionRule, hasPlugin, entry: isObject(entry) ? entry : undefined }
  return [
    ...serverObstacles(files, subject, managed),
    ...projectObstacles(state, projects, subject),
    ...ruleObstacles(files, subject),
    ...hookObstacles(files, subject),
    ...inboundObstacles(files),
  ]
}

/** Returns the settings that keep Claude Code from starting the server. */
function serverObstacles(files: SettingsFile[], subject: Subject, managed: string): Obstacle[] {
  const found: Obstacle[] = []
  const effect = (file: SettingsFile) => `Claude Code does not load the server ${subject.name}${inProject(file)}`
  for (const file of files) {
    if (listAt(file.json, 'deniedMcpServers').some(entry => isAbout(entry, subject)))
      found.push(obstacleIn(file, 'deniedMcpServers', effect(file)))
  }
  const managedFiles = files.filter(({ of }) => of === 'managed')
  const onlyManaged = managedFiles.some(({ json }) => json.allowManagedMcpServersOnly === true)
  const withList = (onlyManaged ? managedFiles : files).filter(({ json }) => Array.isArray(json.allowedMcpServers))
  const allowed = withList.flatMap(({ json }) => listAt(json, 'allowedMcpServers'))
  if (withList.length > 0 && !isAllowed(allowed, subject))
    found.push(obstacleIn(withList[0]!, 'allowedMcpServers', `${effect(withList[0]!)}: it is not in that list`))
  const prescribed = managedServers(managed)
  if (prescribed && !subject.hasPlugin && !(serverName in prescribed.servers)) {
    const { file } = prescribed
    found.push({ file, key: 'mcpServers', effect: `only the servers in it are loaded`, isOff: true, of: 'managed' })
  }
  for (const file of managedFiles) {
    const { strictPluginOnlyCustomization: strict, enabledPlugins } = file.json
    if (!subject.hasPlugin && (strict === true || (Array.isArray(strict) && strict.includes('mcp'))))
      found.push(obstacleIn(file, 'strictPluginOnlyCustomization', 'only plugins may bring a server'))
    const plugins = isObject(enabledPlugins) ? Object.entries(enabledPlugins) : []
    if (subject.hasPlugin && plugins.some(([id, value]) => id.startsWith(`${pluginName}@`) && value === false))
      found.push(obstacleIn(file, 'enabledPlugins', `the plugin ${pluginName} is switched off`))
  }
  return found
}

function projectObstacles(file: string, projects: Json, { name }: Subject): Obstacle[] {
  return Object.entries(projects).flatMap(([project, settings]) => {
    if (!isObject(settings) || !listAt(settings, 'disabledMcpServers').includes(name)) return []
    const effect = `the server ${name} is switched off in ${project} (under /mcp it is switched on)`
    return [{ file, key: `projects.${project}.disabledMcpServers`, effect, isOff: false, of: 'project' as const }]
  })
}

/** Returns the settings that forbid the tools, or make Claude Code ask before each use. */
function ruleObstacles(files: SettingsFile[], { rule }: Subject): Obstacle[] {
  const found: Obstacle[] = []
  for (const file of files) {
    for (const kind of ['deny', 'ask'] as const) {
      const rules = rulesOf(file.json, kind).filter(each => coveredTools(each, rule).length > 0)
      if (rules.length === 0) continue
      const covered = [...new Set(rules.flatMap(each => coveredTools(each, rule)))]
      const which = covered.length === tools.length ? 'its tools' : covered.join(' and ')
      const does =
        kind === 'deny' ? `Claude may not use ${which}` : `Claude asks before each use of ${which}: a wake waits there`
      const isOff = kind === 'deny' && file.project === undefined
      found.push({
        ...obstacleIn(file, `permissions.${kind}`, `${rules.join(', ')}: ${does}${inProject(file)}`),
        isOff,
      })
    }
  }
  const managedFiles = files.filter(({ of }) => of === 'managed')
  const strict = managedFiles.find(({ json }) => json.allowManagedPermissionRulesOnly === true)
  const allowed = managedFiles.flatMap(({ json }) => rulesOf(json, 'allow')).flatMap(each => coveredTools(each, rule))
  if (strict && new Set(allowed).size < tools.length) {
    const effect = `the rule '${rule}' of the user does not count, so Claude asks before each use: a wake waits there`
    found.push({ ...obstacleIn(strict, 'allowManagedPermissionRulesOnly', effect), isOff: false })
  }
  return found
}

/** Returns the settings that keep the hooks from running. */
function hookObstacles(files: SettingsFile[], { hasPlugin }: Subject): Obstacle[] {
  const found: Obstacle[] = []
  const without = 'our hooks do not run: a busy session notices messages only when it reads its inbox'
  // Among files that apply everywhere the first that sets it decides; a project can only switch hooks off for itself.
  const decides = files.find(({ json, project }) => project === undefined && typeof json.disableAllHooks === 'boolean')
  for (const file of files)
    if (file.json.disableAllHooks === true && (file.project !== undefined || file === decides))
      found.push({ ...obstacleIn(file, 'disableAllHooks', `${without}${inProject(file)}`), isOff: false })
  for (const file of files.filter(({ of }) => of === 'managed')) {
    const { allowManagedHooksOnly, strictPluginOnlyCustomization: strict, enabledPlugins } = file.json
    const isForced = hasPlugin && isPluginEnabled({ enabledPlugins })
    if (allowManagedHooksOnly === true && !isForced)
      found.push({ ...obstacleIn(file, 'allowManagedHooksOnly', without), isOff: false })
    if (!hasPlugin && (strict === true || (Array.isArray(strict) && strict.includes('hooks'))))
      found.push({ ...obstacleIn(file, 'strictPluginOnlyCustomization', without), isOff: false })
  }
  return found
}

/** Returns the settings that keep a message on the session's inbox socket from waking it. */
function inboundObstacles(files: SettingsFile[]): Obstacle[] {
  const file = files.find(({ json, project }) => project === undefined && typeof json.crossSessionInbound === 'string')
  const inbound = file?.json.crossSessionInbound
  if (!file || (inbound !== 'hold' && inbound !== 'refuse')) return []
  const effect = `"${inbound}": what would wake an idle session by its inbox socket does not reach Claude; only a waiting hook wakes it`
  return [{ ...obstacleIn(file, 'crossSessionInbound', effect), isOff: false }]
}

function obstacleIn({ file, of, project }: SettingsFile, key: string, effect: string): Obstacle {
  return { file, key, effect, isOff: project === undefined, of }
}

function inProject({ project }: SettingsFile): string {
  return project === undefined ? '' : ` in ${project}`
}

/**
 * Reports whether the list of allowed servers includes ours. If any entry has a command, a stdio server must match by its command; likewise
 * by URL for an HTTP server.
 */
function isAllowed(entries: unknown[], subject: Subject): boolean {
  const key = subject.entry?.type === 'http' ? 'serverUrl' : 'serverCommand'
  const isByKey = subject.entry !== undefined && entries.some(entry => isObject(entry) && entry[key] !== undefined)
  return entries.some(entry => (!isByKey || (isObject(entry) && entry[key] !== undefined)) && isAbout(entry, subject))
}

function isAbout(entry: unknown, { name, entry: server }: Subject): boolean {
  if (!isObject(entry)) return false
  if (entry.serverName !== undefined) return entry.serverName === name
  if (Array.isArray(entry.serverCommand)) {
    const args = Array.isArray(server?.args) ? server.args : []
    return server !== undefined && JSON.stringify(entry.serverCommand) === JSON.stringify([server.command, ...args])
  }
  return typeof entry.serverUrl === 'string' && typeof server?.url === 'string' && matches(entry.serverUrl, server.url)
}

/** Returns the tools that a permission rule applies to: `mcp__claude-net`, one tool, or a pattern with `*`. */
function coveredTools(rule: string, server: string): string[] {
  return tools.filter(tool => rule === server || matches(rule, `${server}__${tool}`))
}

function matches(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map(part => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text)
}

function rulesOf(json: Json, kind: 'allow' | 'deny' | 'ask'): string[] {
  const rules = isObject(json.permissions) ? listAt(json.permissions, kind) : []
  return rules.filter(rule => typeof rule === 'string')
}

function listAt(json: Json, key: string): unknown[] {
  const list = json[key]
  return Array.isArray(list) ? list : []
}
