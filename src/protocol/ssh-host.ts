import * as z from 'zod'

/** Stands in config.json where the hub is reached by HTTP alone. */
export const noSshHost = 'local'

/**
 * What `ssh` is told to go to: `HOST`, an alias of ssh's own configuration, or `USER@HOST`. Strict, since it stands on a command
 * line and in shell text: it can neither be taken for an option nor hold anything that a shell would look at.
 */
export const SshHost = z
  .string()
  .regex(
    /^(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,63}@)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/,
    'a host for ssh is HOST or USER@HOST, of letters, digits, dots, _ and -',
  )
  .refine(host => host !== noSshHost, `'${noSshHost}' means no ssh at all`)
