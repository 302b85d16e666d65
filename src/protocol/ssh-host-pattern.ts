/**
 * `HOST` or `USER@HOST`, as `SshHost` in ssh-host.ts. Strict, since it becomes part of command lines and shell text: a match can neither be
 * taken for an option nor contain a character that is special to a shell.
 */
export const sshHostPattern = /^(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,63}@)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/
