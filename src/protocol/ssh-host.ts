import * as z from 'zod'
import { sshHostPattern } from './ssh-host-pattern.ts'

/** Value in config.json if the hub is reached by HTTP alone. */
export const noSshHost = 'local'

/** A destination for `ssh`: `HOST`, an alias from ssh's own configuration, or `USER@HOST`. */
export const SshHost = z
  .string()
  .regex(sshHostPattern, 'a host for ssh is HOST or USER@HOST, of letters, digits, dots, _ and -')
  .refine(host => host !== noSshHost, `'${noSshHost}' means that ssh is not used`)
