/** The header in which a page of the console sends the secret of its tab. Only together with the cookie does it authenticate a request. */
export const tabHeader = 'claude-net-tab'

/** Prefix of the secret in a link's fragment: `http://10.0.3.1:3500/#in=SECRET`. */
export const linkFragment = '#in='
