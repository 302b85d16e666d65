import { isObject, type Json } from './json-file.ts'

/** The plugin's name; `claude-*` is reserved. */
export const pluginName = 'claudenet'

/** The key of its MCP server in plugin/.mcp.json. */
export const pluginServerName = 'net'

/** The rule that lets Claude call every tool of the plugin's server, which Claude Code names `plugin:claudenet:net`. */
export const pluginPermissionRule = `mcp__plugin_${pluginName}_${pluginServerName}`

/**
 * Reports whether the plugin is enabled in a user's settings.json, from any marketplace. If it is installed for one project only, that
 * project's settings enable it, which does not count here.
 */
export function isPluginEnabled(settings: Json): boolean {
  const { enabledPlugins } = settings
  if (!isObject(enabledPlugins)) return false
  return Object.entries(enabledPlugins).some(([id, value]) => id.startsWith(`${pluginName}@`) && value === true)
}
