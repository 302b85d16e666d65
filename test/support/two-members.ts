import { startHub, type TestHub, type TestMember } from './hub.ts'
import { startMachine, type TestMachine } from './machine.ts'

/** Starts a machine under test, and another member that writes to it, on a new hub or the one that `start` returns. */
export async function twoMembers(start = startHub): Promise<{ hub: TestHub; sean: TestMachine; chas: TestMember }> {
  const hub = await start()
  return { hub, sean: await startMachine(hub, 'seanclaude'), chas: await hub.join('chasclaude') }
}
