/** How often the journal is told that a machine still works on a project, in ms. */
const renewMs = 24 * 3600_000

/** Most projects of one member that are kept here, twice what the state keeps: others are not told to the journal for a day. */
const maxKept = 400

interface Sight {
  /** Wall clock of the last heartbeat of a session, ms since 1970. */
  at: number
  /** Steady time at which the journal was told. */
  toldAt: number
  /** Whether `at` has changed since it was written down. */
  isUnsaved: boolean
}

export interface ProjectSightsOptions {
  now: () => number
  /** The time that the history has seen pass, in ms. */
  steady: () => number
  /** When the state was told of this project, in steady time; undefined when it does not know it. */
  toldAt: (member: number, project: string) => number | undefined
  /** Tells the journal. Rejects when it could not. */
  tell: (member: number, project: string) => Promise<unknown>
}

/** Which projects the sessions of machines were heard to work on since the hub was started, and when last. */
export class ProjectSights {
  readonly #options: ProjectSightsOptions
  readonly #sights = new Map<number, Map<string, Sight>>()

  constructor(options: ProjectSightsOptions) {
    this.#options = options
  }

  /**
   * A heartbeat of a session of this project. Where the journal has to be told, resolves once that was tried; a failure is tried again
   * with the next heartbeat.
   */
  saw(member: number, project: string): Promise<void> | undefined {
    const { now, steady, toldAt, tell } = this.#options
    const sights = this.#sights.get(member) ?? new Map<string, Sight>()
    this.#sights.set(member, sights)
    const known = sights.get(project) ?? newSight(toldAt(member, project))
    if (!sights.has(project) && sights.size >= maxKept && !this.#makeRoom(sights)) return undefined
    sights.set(project, known)
    known.at = now()
    known.isUnsaved = true
    const isTold = steady() - known.toldAt < renewMs
    if (isTold) return undefined
    known.toldAt = steady()
    return tell(member, project).then(
      () => {},
      () => {
        sights.delete(project)
      },
    )
  }

  /** Another hub has heard of a session of this project at `at`, ms since 1970. */
  seenElsewhere(member: number, project: string, at: number): void {
    const sights = this.#sights.get(member) ?? new Map<string, Sight>()
    const known = sights.get(project) ?? newSight(this.#options.toldAt(member, project))
    if (at <= known.at || (!sights.has(project) && sights.size >= maxKept && !this.#makeRoom(sights))) return
    this.#sights.set(member, sights.set(project, known))
    known.at = at
    known.isUnsaved = true
  }

  /** Wall clock of the last heartbeat of a session of this project, ms since 1970; undefined when none was heard since the start. */
  lastSeen(member: number, project: string): number | undefined {
    return this.#sights.get(member)?.get(project)?.at
  }

  /** The same of all that were heard since this was last called. */
  takeUnsaved(): { member: number; project: string; at: number }[] {
    const unsaved: { member: number; project: string; at: number }[] = []
    for (const [member, sights] of this.#sights) {
      for (const [project, sight] of sights) {
        if (sight.isUnsaved) unsaved.push({ member, project, at: sight.at })
        sight.isUnsaved = false
      }
    }
    return unsaved
  }

  /** Drops what is not to be told again anyway: sights of more than a day ago. */
  #makeRoom(sights: Map<string, Sight>): boolean {
    const oldest = this.#options.steady() - renewMs
    for (const [project, { toldAt }] of sights) if (toldAt <= oldest) sights.delete(project)
    return sights.size < maxKept
  }
}

/** `toldAt` as the state has it. */
function newSight(toldAt: number | undefined): Sight {
  return { at: 0, toldAt: toldAt ?? Number.NEGATIVE_INFINITY, isUnsaved: false }
}
