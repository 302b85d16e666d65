/** The unix socket in a hub's data directory, on which admin commands of that host speak the protocol without a token. */
export const adminSocketFile = 'admin.sock'
