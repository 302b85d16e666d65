/** What the command line loads, as a bundle of its own, only where a hub is installed from. */
export { planInstallation, planWayBack } from './install.ts'
export { paths, Root } from './layout.ts'
export { listenerOn } from './listener.ts'
export { planRemoval } from './remove.ts'
