import { Command, InvalidArgumentError } from 'commander'
import { parseCidr, plainAddress } from '../protocol/address-range.ts'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print } from './output.ts'
import { UsageError } from './usage-error.ts'

/** Connections through ssh to the hub's own host, and from programs on it. */
const loopback = ['127.0.0.0/8', '::1/128']

export const fromHelp =
  "Allow its tokens only from this range of addresses (10.0.3.0/24, fd00::/8, an address, or 'loopback'); may be repeated"

interface BindOptions extends AdminOptions {
  from?: string[]
  anywhere?: boolean
}

export function bindCommand(): Command {
  const command = new Command('bind')
    .description("Show or set the addresses from which a member's tokens may be used")
    .argument('<name>', 'Name of the member')
    .option('--from <range>', fromHelp, collectRanges)
    .option('--anywhere', 'Allow them from any address')
  return withAdminOptions(command).action((name: string, options: BindOptions) =>
    asAdmin(options, async client => {
      const { from, anywhere } = options
      if (from !== undefined && anywhere) {
        throw new UsageError('--from and --anywhere exclude each other.', `claude-net bind ${name} --from RANGE`)
      }
      const ranges = anywhere ? [] : from
      const answer =
        ranges === undefined
          ? await known(name, await client.call(api.listMembers))
          : await client.call(api.bindMember, { params: { name }, body: { ranges } })
      print(options, answer, () =>
        answer.ranges.length === 0
          ? `Tokens of ${answer.name} may be used from anywhere that the hub answers to.`
          : `Tokens of ${answer.name} may be used from ${answer.ranges.join(', ')} only.`,
      )
    }),
  )
}

function known(name: string, { members }: { members: { name: string; boundTo: string[] }[] }) {
  const member = members.find(each => each.name === name)
  if (!member) throw new ClaudeNetError('not_found', `No member is called '${name}'.`, 'claude-net members lists all.')
  return { name: member.name, ranges: member.boundTo }
}

/** Adds the ranges that stand in `text`, separated by commas, to those of before. An IPv4 range in the form of IPv6 is the IPv4 range. */
export function collectRanges(text: string, before: string[] = []): string[] {
  const ranges = text.split(',').flatMap(each => (each.trim() === 'loopback' ? loopback : [asIPv4(each.trim())]))
  const wrong = ranges.find(range => !parseCidr(range))
  if (wrong === undefined) return [...before, ...ranges]
  throw new InvalidArgumentError(
    "It is not a range of addresses: write 10.0.3.0/24, fd00::/8, an address, or 'loopback'.",
  )
}

function asIPv4(range: string): string {
  const [address = '', prefix] = range.split('/')
  const plain = plainAddress(address)
  if (plain === address || (prefix !== undefined && Number(prefix) < 96)) return range
  return prefix === undefined ? plain : `${plain}/${Number(prefix) - 96}`
}
