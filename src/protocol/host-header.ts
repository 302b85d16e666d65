/**
 * A header with the host that a request comes from: 16 hex digits that are constant on one host, and its name. Our client sends it
 * with every request, so that the hub detects a token that was copied to another host. It never authenticates anybody.
 */
export const hostHeader = 'claude-net-host'

export const hostPattern = /^([0-9a-f]{16})(?: ([\x21-\x7e]{1,64}))?$/
