/** Exports of the bundle that the command line loads only where a hub is installed from. */
export { planInstallation, planWayBack } from './install.ts'
export { paths } from './layout.ts'
export { listenerOn } from './listener.ts'
export { planRemoval } from './remove.ts'
