/** One link of the chain from this machine to its inbox, and how to mend it. */
export interface Check {
  link: string
  state: 'ok' | 'warning' | 'failed'
  found: string
  mend?: string
}
