/**
 * `HOST` or `USER@HOST`, as `SshHost` in ssh-host.ts. Strict, since it stands on a command line and in shell text: it can neither be
 * taken for an option nor hold anything that a shell would look at.
 */
export const sshHostPattern = /^(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,63}@)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/
