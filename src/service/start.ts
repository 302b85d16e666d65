import type { Root } from '../systemd/root.ts'
import { runProgram, type Step } from '../systemd/step.ts'
import { enabled, isActive, restarted } from '../systemd/units.ts'
import { socketName, unitName } from './layout.ts'

/**
 * Returns the steps after which systemd starts the units at boot and, on the running system, runs them now. `before` is the version that the error
 * names as the way back, if the service does not start; `socket` says whether systemd is to hold the port, and whether by a unit that is new.
 */
export function started(root: Root, before: string | undefined, socket: { isNew: boolean } | undefined): Step[] {
  const back = before ? `sudo claude-net install-service --back returns to ${before}. ` : ''
  return [
    ...enabled(root, [...(socket ? [socketName] : []), unitName]),
    ...(socket && root.isLive ? [{ what: `let ${socketName} hold the port`, run: () => holdPort(socket.isNew) }] : []),
    ...(root.isLive
      ? [
          restarted(unitName, {
            until: 'the hub says that it is ready',
            hint: `${back}docs/operations.md has more under "Troubleshooting".`,
          }),
        ]
      : []),
  ]
}

/** Reports whether the hub runs and has reported that it is ready. */
export function isRunning(): Promise<boolean> {
  return isActive(unitName)
}

/** Stops a hub that listens by itself, or on another address, before systemd takes the port. A port that systemd holds already stays held. */
async function holdPort(isNew: boolean): Promise<void> {
  if (!isNew && (await isActive(socketName))) return
  await runProgram('systemctl', 'stop', unitName)
  await runProgram('systemctl', 'restart', socketName)
}
