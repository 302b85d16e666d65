/**
 * A header of every answer of a hub that shares its log with others: the seq of the last entry that it had applied. Who goes to another
 * hub asks with `minSeqParameter` for at least the highest that it was told.
 */
export const seqHeader = 'claude-net-seq'

/** A parameter of any request: a hub that has not applied this seq waits for it, 2 s at most, and then answers `unavailable`. */
export const minSeqParameter = 'min_seq'

/** A header of the answers of a hub that is cut off from its log: for so many whole seconds others may have written what it does not know. */
export const staleHeader = 'claude-net-stale'
