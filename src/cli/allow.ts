import { Command } from 'commander'
import { changeRules, findClaude, presentRules, wantedRules } from '../claude/settings.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { agreed } from './agree.ts'
import { print } from './output.ts'

interface AllowOptions {
  undo?: boolean
  yes?: boolean
  json?: boolean
}

export function allowCommand(): Command {
  return new Command('allow')
    .description('Add the permission rule that lets Claude use the tools without asking each time')
    .option('--undo', 'Remove the rules of Claude Net')
    .option('--yes', 'Write the rule without asking for confirmation')
    .option('--json', 'Print JSON')
    .addHelpText(
      'after',
      `
The rule is written to "permissions.allow" in Claude Code's settings.json: mcp__claude-net for the server that join registers,
mcp__plugin_claudenet_net for that of the plugin, or both if both are installed.`,
    )
    .action(async (options: AllowOptions) => {
      const files = findClaude()
      if (!files)
        throw new ClaudeNetError(
          'not_found',
          'Claude Code was not found for this user.',
          'Install it, then run this again.',
        )
      const present = presentRules(files)
      const { undo } = options
      const rules = undo ? present : wantedRules(files).filter(rule => !present.includes(rule))
      const change = `${files.settings}: permissions.allow ${undo ? 'loses' : 'gets'} ${rules.join(' and ')}`
      const isChanged = rules.length > 0 && (await isWanted(change, options))
      const backup = isChanged ? changeRules(files, undo ? { remove: rules } : { add: rules }) : undefined
      print(options, { file: files.settings, rules: presentRules(files), changed: isChanged, backup }, () => {
        if (rules.length === 0)
          return `Nothing to do: ${files.settings} ${undo ? 'has none of our rules' : 'allows the tools'}.`
        if (!isChanged) return 'Left alone.'
        return `${options.yes ? change : 'Done'}.${backup ? ` As it was before: ${backup}` : ''}`
      })
    })
}

/** Shows the change and asks. Where nobody can be asked, only --yes is a yes. */
async function isWanted(change: string, { yes, json }: AllowOptions): Promise<boolean> {
  if (yes) return true
  if (json || !process.stdin.isTTY)
    throw new ClaudeNetError('invalid', `Nothing was written. What would change: ${change}.`, 'Add --yes to write it.')
  process.stdout.write(`${change}\n`)
  return agreed('Change it?')
}
