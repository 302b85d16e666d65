/** The unix socket in a hub's data directory over which admin commands on that host use the protocol without a token. */
export const adminSocketFile = 'admin.sock'
