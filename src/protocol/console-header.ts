/** The header in which a page of the console sends the secret of its tab. Beside the cookie it proves who asks; neither does alone. */
export const tabHeader = 'claude-net-tab'

/** What a link has in its fragment before its secret: `http://10.0.3.1:3500/#in=SECRET`. */
export const linkFragment = '#in='
