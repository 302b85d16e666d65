import { BlockList, isIP } from 'node:net'
import * as z from 'zod'

/** A range of addresses, such as `10.0.0.0/8` or `fd00::/8`, or a single address. */
export const Cidr = z.string().refine(text => parseCidr(text) !== undefined, {
  error: 'this is no range of addresses; write 10.0.0.0/8, fd00::/8, or a single address',
})

export interface AddressRange {
  address: string
  prefix: number
  family: 'ipv4' | 'ipv6'
}

/** Undefined when `text` is neither an address nor an address with the length of a prefix. */
export function parseCidr(text: string): AddressRange | undefined {
  const [, address = '', digits] = /^([0-9A-Fa-f.:]+)(?:\/([0-9]{1,3}))?$/.exec(text) ?? []
  const version = isIP(address)
  if (version === 0) return undefined
  const bits = version === 4 ? 32 : 128
  const prefix = digits === undefined ? bits : Number(digits)
  return prefix <= bits ? { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' } : undefined
}

/** A set of ranges. Throws on what is no range. */
export class AddressRanges {
  readonly #list = new BlockList()

  constructor(ranges: readonly string[]) {
    for (const { address, prefix, family } of ranges.map(range => parseCidr(range)!)) {
      this.#list.addSubnet(address, prefix, family)
    }
  }

  /** Whether one of them holds `address`. False for what is no address. */
  has(address: string): boolean {
    const version = isIP(address)
    return version !== 0 && this.#list.check(address, version === 4 ? 'ipv4' : 'ipv6')
  }
}

/** An address without its zone, and an IPv4 address that came in by an IPv6 socket as what it is. */
export function plainAddress(address: string): string {
  return address
    .trim()
    .replace(/%.*$/, '')
    .replace(/^::ffff:(?=[0-9.]+$)/i, '')
}

/** Most ranges that one member may be bound to. */
export const maxBoundRanges = 32

/** From where a member's token may be used; an empty list is anywhere. */
export const BoundTo = z.array(Cidr).max(maxBoundRanges)
