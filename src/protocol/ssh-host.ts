import * as z from 'zod'
import { sshHostPattern } from './ssh-host-pattern.ts'

/** Stands in config.json where the hub is reached by HTTP alone. */
export const noSshHost = 'local'

/** What `ssh` is told to go to: `HOST`, an alias of ssh's own configuration, or `USER@HOST`. */
export const SshHost = z
  .string()
  .regex(sshHostPattern, 'a host for ssh is HOST or USER@HOST, of letters, digits, dots, _ and -')
  .refine(host => host !== noSshHost, `'${noSshHost}' means no ssh at all`)
