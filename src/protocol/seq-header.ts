/**
 * A header of every response of a hub that shares its log with others: the seq of the last entry that it has applied. A client that
 * switches to another hub requires, with `minSeqParameter`, at least the highest seq it has received.
 */
export const seqHeader = 'claude-net-seq'

/** A parameter of any request: a hub that has not applied this seq waits for it, 2 s at most, and then returns `unavailable`. */
export const minSeqParameter = 'min_seq'

/** A header of the responses of a hub that is cut off from its log: the age of its state in whole seconds, during which others may have written. */
export const staleHeader = 'claude-net-stale'
