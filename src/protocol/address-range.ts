import { BlockList, isIP } from 'node:net'
import * as z from 'zod'

/** A range of IP addresses, such as `10.0.0.0/8` or `fd00::/8`, or a single address. */
export const Cidr = z.string().refine(text => parseCidr(text) !== undefined, {
  error: 'not a range of addresses; write 10.0.0.0/8, fd00::/8, or a single address',
})

export interface AddressRange {
  address: string
  prefix: number
  family: 'ipv4' | 'ipv6'
}

/** Parses an address, or an address with a prefix length. Returns undefined if `text` is neither. */
export function parseCidr(text: string): AddressRange | undefined {
  const [, address = '', digits] = /^([0-9A-Fa-f.:]+)(?:\/([0-9]{1,3}))?$/.exec(text) ?? []
  const version = isIP(address)
  if (version === 0) return undefined
  const bits = version === 4 ? 32 : 128
  const prefix = digits === undefined ? bits : Number(digits)
  return prefix <= bits ? { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' } : undefined
}

/** A set of ranges. The constructor throws if one of them is malformed. */
export class AddressRanges {
  readonly #list = new BlockList()

  constructor(ranges: readonly string[]) {
    for (const { address, prefix, family } of ranges.map(range => parseCidr(range)!)) {
      this.#list.addSubnet(address, prefix, family)
    }
  }

  /** Reports whether a range contains `address`. False if that is not an IP address. */
  has(address: string): boolean {
    const version = isIP(address)
    return version !== 0 && this.#list.check(address, version === 4 ? 'ipv4' : 'ipv6')
  }
}

/** Returns an address without its zone, and an IPv4-mapped IPv6 address as IPv4. */
export function plainAddress(address: string): string {
  return address
    .trim()
    .replace(/%.*$/, '')
    .replace(/^::ffff:(?=[0-9.]+$)/i, '')
}

/** Maximum number of ranges that one member may be bound to. */
const maxBoundRanges = 32

/** Ranges from which a member's tokens may be used; an empty list allows any address. */
export const BoundTo = z.array(Cidr).max(maxBoundRanges)
