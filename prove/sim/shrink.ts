import type { Plan } from './faults.ts'
import type { Report, Simulator } from './simulate.ts'

/** Maximum number of simulations played to shrink one failure. */
const maxTries = 120

/**
 * Searches for a smaller plan that fails with one of the same kinds of violation: fewer faults, hubs, clients and seconds. Returns the
 * report of the smallest one found.
 */
export async function shrink(simulator: Simulator, failing: Report, say: (text: string) => void): Promise<Report> {
  const kinds = new Set(failing.violations.map(({ kind }) => kind))
  let least = failing
  let tries = 0
  const fails = async (plan: Plan): Promise<boolean> => {
    if (tries++ >= maxTries) return false
    const report = await simulator.run(plan)
    if (!report.violations.some(({ kind }) => kinds.has(kind))) return false
    least = report
    return true
  }
  const struck = () => least.struck.map(({ number }) => number)
  for (let before = -1; before !== sizeOf(least.plan, struck().length) && tries < maxTries; ) {
    before = sizeOf(least.plan, struck().length)
    while (least.plan.seconds > 0.3 && (await fails({ ...least.plan, seconds: least.plan.seconds / 2 })));
    while (least.plan.clients > 2 && (await fails({ ...least.plan, clients: least.plan.clients - 1 })));
    while (least.plan.hubs > 1 && (await fails({ ...least.plan, hubs: least.plan.hubs - 1 })));
    if (least.plan.sessions !== undefined) await fails({ ...least.plan, sessions: undefined })
    // Leaves out halves, quarters and so on of the faults that struck.
    for (let size = Math.ceil(struck().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let from = 0; from < struck().length; ) {
        const numbers = struck()
        const only = [...numbers.slice(0, from), ...numbers.slice(from + size)]
        if (!(await fails({ ...least.plan, only }))) from += size
      }
    }
  }
  say(`${tries} plans were tried; ${struck().length} of ${failing.struck.length} faults are left`)
  return least
}

function sizeOf({ hubs, clients, seconds }: Plan, faults: number): number {
  return hubs * 1e9 + clients * 1e6 + seconds * 1e3 + faults
}
