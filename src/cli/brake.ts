import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import { concernLines } from '../text/concerns.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print } from './output.ts'

export function brakeCommand(): Command {
  const command = new Command('brake')
    .description('List pairs of machines whose messages are stopped because they looked like a loop, or lift the brake')
    .argument('[machines...]', 'With --lift: the two machines')
    .option('--lift', 'Let messages between the two pass again, and restart their count')
  return withAdminOptions(command).action((machines: string[], options: AdminOptions & { lift?: boolean }) => {
    if (machines.length !== (options.lift ? 2 : 0)) {
      command.error('error: to lift a brake, name both machines: claude-net brake --lift A B')
    }
    return asAdmin(options, async client => {
      if (options.lift) {
        const [name, member] = machines as [string, string]
        const answer = await client.call(api.liftBrake, { params: { name }, body: { member } })
        const pair = answer.between.join(' and ')
        const lifted = `Messages between ${pair} are allowed again.`
        print(options, answer, () => (answer.lifted ? lifted : `Messages between ${pair} were not stopped.`))
        return
      }
      const { brakes } = await client.call(api.listMembers)
      const lines = concernLines({ brakes, sharedTokens: [] }, client.now())
      print(options, { brakes }, () => (lines.length === 0 ? 'No messages are stopped.' : lines.join('\n')))
    })
  })
}
