import { Command } from 'commander'
import { rulesPassage } from '../mcp/instructions.ts'
import { print } from './output.ts'

export function rulesCommand(): Command {
  return new Command('rules')
    .description('print the rules for messages, as a passage for a CLAUDE.md')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Claude is told the same by the MCP server and by the plugin's skill; a CLAUDE.md is for what you want to change of it:
  claude-net rules >> ~/.claude/CLAUDE.md`,
    )
    .action((options: { json?: boolean }) => print(options, { rules: rulesPassage }, () => rulesPassage.trimEnd()))
}
