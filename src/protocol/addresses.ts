import * as z from 'zod'

/** The hub's own addresses for machines. A proxy in front of the hub has others, which the hub does not know. */
export const AddressesAnswer = z.object({
  /** The port the hub listens on; null if unknown. */
  port: z.number().int().nullable(),
  /**
   * The addresses it listens on, as http origins without loopback addresses, likeliest first. One that is not trusted lies outside
   * `trustedNetworks`: the machine that has it, and its neighbours, are refused.
   */
  addresses: z.array(z.object({ origin: z.string(), isTrusted: z.boolean() })),
})
export type AddressesAnswer = z.infer<typeof AddressesAnswer>
