import * as z from 'zod'
import { EtcdError, type EtcdGateway } from './gateway.ts'

/** gRPC's code for an error of which nothing else is known. */
export const unknownCode = 2

const KeyValue = z.object({ key: z.string(), value: z.string().optional(), create_revision: z.string().optional() })
export type KeyValue = z.output<typeof KeyValue>

export const RangeAnswer = z.object({ kvs: z.array(KeyValue).optional() })

export const TransactionAnswer = z.object({
  succeeded: z.boolean().optional(),
  responses: z.array(z.object({ response_range: RangeAnswer.optional() })).default([]),
})

/** Asks etcd and checks the form of the answer. Throws `EtcdError` as `EtcdGateway.ask` does, and for an answer in another form. */
export async function ask<Answer extends z.ZodType>(
  gateway: EtcdGateway,
  form: Answer,
  path: string,
  body: object,
  signal?: AbortSignal,
): Promise<z.output<Answer>> {
  const answer = form.safeParse(await gateway.ask<unknown>(path, body, signal))
  if (!answer.success) throw otherForm()
  return answer.data
}

export function otherForm(): EtcdError {
  return new EtcdError('etcd answered in a form that this program does not know.', unknownCode)
}
