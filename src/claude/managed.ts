import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isObject, type Json } from './json-file.ts'

/** One file of Claude Code's settings. */
export interface SettingsFile {
  file: string
  json: Json
  /** The party that can change it: an administrator (of the machine or the organization), the user, or anyone who works on the project. */
  of: 'managed' | 'user' | 'project'
  /** The directory that it applies to; undefined if it applies to all. */
  project?: string
}

/** Returns the directory of an administrator's settings for every user of a machine. */
export function managedDir(platform = process.platform): string {
  return platform === 'darwin' ? '/Library/Application Support/ClaudeCode' : '/etc/claude-code'
}

/** Most projects whose settings are read. */
const maxProjects = 200

/**
 * Returns the settings that Claude Code reads for a user, in order of precedence. A file that is missing or malformed is left out: Claude
 * Code ignores it entirely. `projects` are directories.
 */
export function allSettings(userSettings: string, projects: Iterable<string>, managed = managedDir()): SettingsFile[] {
  const read = (file: string, of: SettingsFile['of'], project?: string): SettingsFile[] => {
    const json = jsonIn(file)
    return json ? [{ file, json, of, ...(project !== undefined && { project }) }] : []
  }
  const dropIns = namesIn(join(managed, 'managed-settings.d')).map(name => join(managed, 'managed-settings.d', name))
  return [
    // The settings last fetched from the organization's server.
    ...read(join(dirname(userSettings), 'remote-settings.json'), 'managed'),
    ...dropIns.flatMap(file => read(file, 'managed')),
    ...read(join(managed, 'managed-settings.json'), 'managed'),
    ...[...new Set(projects)].slice(0, maxProjects).flatMap(project =>
      ['settings.local.json', 'settings.json']
        .map(name => join(project, '.claude', name))
        .filter(file => file !== userSettings)
        .flatMap(file => read(file, 'project', project)),
    ),
    ...read(userSettings, 'user'),
  ]
}

/** Returns the servers that an administrator prescribes in place of all others; undefined if there is no such file. */
export function managedServers(managed = managedDir()): { file: string; servers: Json } | undefined {
  const file = join(managed, 'managed-mcp.json')
  const json = jsonIn(file)
  return json && { file, servers: isObject(json.mcpServers) ? json.mcpServers : {} }
}

function namesIn(dir: string): string[] {
  try {
    const names = readdirSync(dir).filter(name => name.endsWith('.json') && !name.startsWith('.'))
    return names.sort().reverse()
  } catch {
    return []
  }
}

function jsonIn(file: string): Json | undefined {
  try {
    const json: unknown = JSON.parse(readFileSync(file, 'utf8').replace('\ufeff', ''))
    return isObject(json) ? json : undefined
  } catch {
    return undefined
  }
}
