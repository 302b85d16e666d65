import { startHub, type TestHub, type TestMember } from './hub.ts'
import { startMachine, type TestMachine } from './machine.ts'

/** A machine under test, and another member that writes to it. */
export async function twoMembers(): Promise<{ hub: TestHub; sean: TestMachine; chas: TestMember }> {
  const hub = await startHub()
  return { hub, sean: await startMachine(hub, 'seanclaude'), chas: await hub.join('chasclaude') }
}
