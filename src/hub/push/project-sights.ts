/** Interval at which the journal records that a machine still works on a project, in ms. */
const renewMs = 24 * 3600_000

/** Most projects of one member that are kept in memory, twice what the state keeps. Further ones are ignored for up to a day. */
const maxKept = 400

interface Sight {
  /** Wall clock of the last heartbeat of a session, ms since 1970. */
  at: number
  /** Steady time of the last command to the journal. */
  toldAt: number
  /** Whether `at` has changed since it was saved. */
  isUnsaved: boolean
}

export interface ProjectSightsOptions {
  now: () => number
  /** Steady time, in ms. */
  steady: () => number
  /** Returns when the state last recorded this project, in steady time; undefined if it has not. */
  toldAt: (member: number, project: string) => number | undefined
  /** Records the project in the journal. Rejects when that fails. */
  tell: (member: number, project: string) => Promise<unknown>
}

/** Tracks the projects on which sessions have worked since the hub started, with the time of each one's last heartbeat. */
export class ProjectSights {
  readonly #options: ProjectSightsOptions
  readonly #sights = new Map<number, Map<string, Sight>>()

  constructor(options: ProjectSightsOptions) {
    this.#options = options
  }

  /**
   * Records a heartbeat of a session of this project. If the journal has to record it too, resolves once that was attempted; a failure is
   * retried with the next heartbeat.
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

  /** Records that another hub saw a session of this project at `at`, ms since 1970. */
  seenElsewhere(member: number, project: string, at: number): void {
    const sights = this.#sights.get(member) ?? new Map<string, Sight>()
    const known = sights.get(project) ?? newSight(this.#options.toldAt(member, project))
    if (at <= known.at || (!sights.has(project) && sights.size >= maxKept && !this.#makeRoom(sights))) return
    this.#sights.set(member, sights.set(project, known))
    known.at = at
    known.isUnsaved = true
  }

  /** Returns the wall clock of the last heartbeat of a session of this project, ms since 1970; undefined if there was none since the start. */
  lastSeen(member: number, project: string): number | undefined {
    return this.#sights.get(member)?.get(project)?.at
  }

  /** Returns the times that changed since the previous call. */
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

  /** Drops sights that the journal recorded more than a day ago. Returns whether there is room now. */
  #makeRoom(sights: Map<string, Sight>): boolean {
    const oldest = this.#options.steady() - renewMs
    for (const [project, { toldAt }] of sights) if (toldAt <= oldest) sights.delete(project)
    return sights.size < maxKept
  }
}

/** Returns a sight without heartbeats; `toldAt` is the time in the state. */
function newSight(toldAt: number | undefined): Sight {
  return { at: 0, toldAt: toldAt ?? Number.NEGATIVE_INFINITY, isUnsaved: false }
}
