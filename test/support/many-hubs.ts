import type { HubClient } from '../../src/client/hub-client.ts'
import type { EtcdCluster, EtcdHistory } from './etcd.ts'
import { type StartHubOptions, startHub, type TestHub, type TestMember } from './hub.ts'

/** Hubs over one log in `cluster`, each a process with a store of its own. They are stopped with the running test. */
export class ManyHubs {
  readonly hubs: TestHub[]
  readonly history: EtcdHistory

  private constructor(hubs: TestHub[], history: EtcdHistory) {
    this.hubs = hubs
    this.history = history
  }

  /** Starts `size` hubs, called h0, h1, …, over a new and empty log. */
  static async start(cluster: EtcdCluster, size = 3, options: StartHubOptions = {}): Promise<ManyHubs> {
    const history = await cluster.log()
    const journal = { endpoints: cluster.endpoints, name: history.name }
    const hubs = await Promise.all(
      Array.from({ length: size }, (_, index) =>
        startHub({ ...options, config: { ...options.config, journal, hubName: `h${index}` } }),
      ),
    )
    return new ManyHubs(hubs, history)
  }

  /** Returns a client of each hub for one member, in order. */
  clientsOf({ token }: TestMember): HubClient[] {
    return this.hubs.map(hub => hub.client(token))
  }
}
