import { join } from 'node:path'
import { HubClient } from '../../src/client/hub-client.ts'
import { DirectTransport } from '../../src/client/transport/direct.ts'
import { SshTransport } from '../../src/client/transport/ssh.ts'
import { endLink } from '../../src/client/transport/ssh-link.ts'
import type { Transport } from '../../src/client/transport/transport.ts'
import { api } from '../../src/protocol/api.ts'
import type { Bench } from '../bench.ts'
import { comparison, elapsedMs, measureInTurn, median, type Pair, timeInTurn } from '../compare.ts'
import { type Row, toFigures } from '../row.ts'
import { startSshd, whyNoSshd } from '../sshd.ts'

const rows: Record<'first' | 'warm', Row> = {
  first: {
    what: 'first call through ssh (yardstick: first call by HTTP)',
    budget: { of: 'measured', atMost: 1000 },
    unit: 'ms',
  },
  warm: {
    what: 'warm call through ssh (yardstick: the same by HTTP)',
    budget: { of: 'ratio', atMost: 2 },
    unit: 'ms',
  },
}

/** Measures reads of an empty inbox through an sshd: first with a new connection, then over the open one. */
export async function throughSsh(bench: Bench): Promise<Row[]> {
  const skipped = whyNoSshd()
  if (skipped) return Object.values(rows).map(row => ({ ...row, skipped }))
  const dir = bench.freshPath('sshd')
  await using pairing = await bench.startPairing(1)
  await using _sshd = await startSshd(dir)
  process.env.PATH = `${join(dir, 'tools')}:${process.env.PATH}`
  const { token } = pairing.members[0]!
  const hub = (host: string) => new URL(`http://${host}:${pairing.hub.port}`)
  const direct = () => new DirectTransport(hub('127.0.0.1'))
  const ssh = () => new SshTransport({ host: 'bench', hub: hub('localhost'), dir: join(dir, 'run') })
  const read = async (client: HubClient) => void (await client.call(api.readInbox))

  const first = async (transport: Transport) => {
    const client = new HubClient({ transport, token })
    const ms = await elapsedMs(() => read(client))
    client.close()
    return ms
  }
  const firsts: Pair[] = []
  for (let round = -1; round < (bench.quick ? 2 : 9); round++) {
    const through = ssh()
    const pair = await measureInTurn(
      round,
      () => first(through),
      () => first(direct()),
    )
    await endLink(through.files)
    if (round >= 0) firsts.push(pair)
  }
  bench.say(`first call: ${median(firsts.map(({ subject }) => subject)) | 0} ms`)

  const [near, far] = [direct(), ssh()].map(transport => new HubClient({ transport, token })) as [HubClient, HubClient]
  const warm: Pair[] = []
  for (let round = -1; round < (bench.quick ? 2 : 7); round++) {
    const times = await timeInTurn(
      bench.quick ? 20 : 200,
      () => elapsedMs(() => read(far)),
      () => elapsedMs(() => read(near)),
    )
    if (round >= 0) warm.push({ subject: median(times.subject), yardstick: median(times.yardstick) })
  }
  near.close()
  far.close()
  await endLink(ssh().files)
  return [
    { ...rows.first, figures: toFigures(comparison(firsts)) },
    { ...rows.warm, figures: toFigures(comparison(warm)) },
  ]
}
