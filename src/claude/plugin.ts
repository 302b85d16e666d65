import { isObject, type Json } from './json-file.ts'

/** The plugin's name; `claude-*` is reserved. */
export const pluginName = 'claudenet'

/** The key of its MCP server in plugin/.mcp.json. */
export const pluginServerName = 'net'

/** The rule that lets Claude call every tool of the plugin's server: Claude Code calls it `plugin:claudenet:net`. */
export const pluginPermissionRule = `mcp__plugin_${pluginName}_${pluginServerName}`

/**
 * Whether our plugin is enabled in a user's settings.json, whatever the marketplace that it came from is called. Installed for
 * one project only it stands in that project's settings, and is none of the other projects' business.
 */
export function isPluginEnabled(settings: Json): boolean {
  const { enabledPlugins } = settings
  if (!isObject(enabledPlugins)) return false
  return Object.entries(enabledPlugins).some(([id, value]) => id.startsWith(`${pluginName}@`) && value === true)
}
