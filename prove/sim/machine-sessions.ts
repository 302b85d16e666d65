import type { History } from '../checker/history.ts'
import type { Answers, Request } from './door.ts'
import { sessionProjects } from './draw-send.ts'
import type { KeeperLine } from './keeper-client.ts'
import type { Random } from './random.ts'
import { Session, type SessionOptions } from './session.ts'
import type { SimProcess, World } from './world.ts'

export interface MachineSessionsOptions extends Pick<SessionOptions, 'isUp' | 'read' | 'fetched' | 'projects'> {
  world: World
  history: History
  random: Random
  /** Name of the machine. */
  by: string
  /** Directory of the machine's home. */
  home: string
  count: number
  /** Whether each session has a project. */
  haveProjects: boolean
  /** Sends a request to the machine's hub. */
  ask<Kind extends Request['kind']>(request: Request & { kind: Kind }): Promise<Answers[Kind]>
  /** Returns the highest seq that the machine has seen. */
  known(): number
  follow: KeeperLine['follow']
}

/** Creates the sessions of a machine, which share its home. */
export function machineSessions(options: MachineSessionsOptions): Session[] {
  const { ask, by, known, count, haveProjects, ...rest } = options
  const processes = new Map<number, SimProcess>()
  return Array.from({ length: count }, (_, index) => {
    const project = haveProjects ? sessionProjects[index] : undefined
    const scope = project !== undefined && { project }
    return new Session(String(100 + index), {
      ...{ ...rest, ...scope, inbox: by, processes },
      unread: after => ask({ kind: 'unread', by, atLeast: known(), ...scope, ...(after !== undefined && { after }) }),
      reportTold: report => ask({ kind: 'told', by, ...report }),
      beat: async session => (await ask({ kind: 'beat', by, session, ...scope })).unread,
    })
  })
}
