/** Fields that determine the order of a conversation. */
export interface Placed {
  id: string
  seq: number
  replyTo?: string | undefined
}

/** One message at its place in a conversation. */
export interface Row<M extends Placed> {
  message: M
  /** Whether it stands under another message of its thread. */
  isAnswer: boolean
  /** The id of the message that it answers, if its position does not show that: the message is neither directly above nor the one the rows above answer. */
  quotes?: string
  /** Whether a thread starts with this row. */
  startsThread: boolean
}

/**
 * Returns messages in the order in which a conversation shows them: answers under their questions, each thread by `seq`, and threads by
 * their newest message, the newest last. Older messages that are loaded later, in any order, never move newer ones: they go above them, or
 * between a thread's first rows. Answers to the same message that is not loaded are one thread.
 */
export function threadRows<M extends Placed>(messages: Iterable<M>): Row<M>[] {
  const bySeq = [...messages].sort((a, b) => a.seq - b.seq)
  const threadOf = new Map<string, string>()
  const threads = new Map<string, M[]>()
  for (const message of bySeq) {
    const { id, replyTo } = message
    const key = replyTo === undefined ? id : (threadOf.get(replyTo) ?? replyTo)
    threadOf.set(id, key)
    const thread = threads.get(key)
    if (thread) thread.push(message)
    else threads.set(key, [message])
  }
  return [...threads.values()].sort((a, b) => a.at(-1)!.seq - b.at(-1)!.seq).flatMap(rowsOfThread)
}

function rowsOfThread<M extends Placed>(thread: M[]): Row<M>[] {
  return thread.map((message, index) => {
    const { replyTo } = message
    const above = thread[index - 1]
    const isPlain = replyTo === undefined || (above && (above.id === replyTo || above.replyTo === replyTo))
    return {
      message,
      isAnswer: replyTo !== undefined,
      startsThread: index === 0,
      ...(!isPlain && { quotes: replyTo }),
    }
  })
}
