/**
 * Names the host that a request comes from: 16 hex digits that stay the same on one host, and its name. Told by our client with
 * every request, so that a token that was copied to another host is noticed. Never believed for who somebody is.
 */
export const hostHeader = 'claude-net-host'

export const hostPattern = /^([0-9a-f]{16})(?: ([\x21-\x7e]{1,64}))?$/
