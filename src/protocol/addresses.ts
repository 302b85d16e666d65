import * as z from 'zod'

/** Where machines reach the hub, as far as the hub itself can know: what stands in front of it has addresses of its own. */
export const AddressesAnswer = z.object({
  /** The port at which the hub listens; null where it is not known. */
  port: z.number().int().nullable(),
  /**
   * The addresses that it listens at, as origins by http, without those that lead each machine to itself; the likeliest first.
   * One that is not trusted lies outside of `trustedNetworks`: the machine that has it, and its neighbours, are refused.
   */
  addresses: z.array(z.object({ origin: z.string(), isTrusted: z.boolean() })),
})
export type AddressesAnswer = z.infer<typeof AddressesAnswer>
