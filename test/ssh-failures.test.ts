import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { Home } from '../src/client/home.ts'
import { waitingIn } from '../src/client/outbox-store.ts'
import { SshHost } from '../src/protocol/ssh-host.ts'
import { startAnsweringServer } from './support/answering-server.ts'
import type { TestHub } from './support/hub.ts'
import { type Laptop, startLaptop } from './support/laptop.ts'
import { emptiedHub } from './support/shared-hub.ts'
import { restricted, type Sshd } from './support/sshd.ts'

const hubAlone = emptiedHub()

// The tests wait for ssh to notice silence, or for many processes to start, which takes long on a busy machine.
vi.setConfig({ testTimeout: 180_000 })

interface Broken {
  hub: TestHub
  sshd: Sshd
  laptop: Laptop
}

/** Each fault, the link that doctor must name, and the message that the user must get. */
const faults: [string, (setup: Broken) => unknown, string, RegExp][] = [
  [
    'sshd is down',
    ({ sshd }) => sshd.kill(),
    'host',
    /: ovh5 does not answer: no ssh server listens there \(ssh says: .*refused/,
  ],
  [
    'nothing comes back',
    ({ sshd }) => sshd.freeze(),
    'host',
    /: ovh5 does not answer \(ssh says: Connection.* timed out/,
  ],
  [
    'its name cannot be resolved',
    ({ laptop }) => laptop.configure({ sshHost: 'nowhere.invalid' }),
    'host',
    /: the name nowhere\.invalid cannot be resolved \(ssh says: /,
  ],
  [
    'the key is refused',
    ({ sshd }) => writeFileSync(sshd.authorizedKeys, ''),
    'key',
    /: ovh5 accepts no key of this machine \(ssh says: .*Permission denied \(publickey\)/,
  ],
  [
    'a password is asked for',
    async ({ sshd }) => {
      await sshd.restart('PasswordAuthentication yes')
      writeFileSync(sshd.authorizedKeys, '')
    },
    'key',
    /: ssh asks for a password: ovh5 accepts no key of this machine (.|\n)*Set up a key: ssh-copy-id ovh5/,
  ],
  [
    'the host is not known',
    ({ sshd }) => rmSync(sshd.knownHosts),
    'key',
    /: the host key of ovh5 is not known here (.|\n)*fingerprint/,
  ],
  [
    'the host has another key',
    ({ sshd }) => sshd.knowHost('other_key'),
    'key',
    /: ovh5 shows another host key than before \(ssh says: Host key for .* has changed/,
  ],
  [
    'the configuration of ssh is broken',
    ({ sshd }) => sshd.configureClient('Bogus yes'),
    'ssh',
    /: ssh's configuration on this machine is broken \(ssh says: .*line \d+: Bad configuration option: bogus\)/,
  ],
  [
    'there is no ssh',
    ({ sshd }) => rmSync(join(sshd.tools, 'ssh')),
    'ssh',
    /: there is no ssh command on this machine\./,
  ],
  [
    'the forward is refused',
    ({ sshd }) => sshd.authorize(restricted(1)),
    'forward',
    /: ovh5 lets this machine in, but not on to localhost:\d+ \(ssh says: .*prohibited(.|\n)*permitopen="localhost:\d+"/,
  ],
  [
    'the hub is down',
    ({ hub }) => hub.stop(),
    'hub',
    /: ovh5 is reached, but nothing answers on its port \d+ \(ssh says: .*refused\)(.|\n)*claude-net-relay/,
  ],
  [
    'something else answers there',
    async ({ laptop }) => laptop.configure({ hub: `http://localhost:${(await startAnsweringServer()).url.port}` }),
    'hub',
    /The server at http:\/\/localhost:\d+ through ovh5 is not a Claude Net hub\./,
  ],
]

test.for(faults)(
  'if %s, the send is kept with the reason, and doctor names the failed link and the remedy',
  async ([, breakIt, link, words], context) => {
    const setup = await startLaptop(context, {}, hubAlone)
    const { laptop, sshd } = setup
    await breakIt(setup)
    if (link === 'ssh') laptop.only(sshd.tools)

    const { code, stdout, stderr } = await laptop.run('send', 'all', 'kept?')
    expect([code, stdout, stderr]).toEqual([75, expect.stringMatching(/^Kept on this machine/), ''])
    expect(waitingIn(new Home(laptop.machine.home))).toHaveLength(1)

    const doctor = await laptop.run('doctor')
    expect([doctor.code, doctor.stdout]).toEqual([1, expect.stringMatching(new RegExp(`^FAIL +${link} `, 'm'))])
    // No part of the banner may be shown.
    expect(stdout + doctor.stdout).not.toMatch(/nobody|HTTP\/1\.1/)
    expect(`${stdout}\n${doctor.stdout.replace(/\n +→ /g, '\n')}`).toMatch(words)
    const chain = ['ssh', 'host', 'key', 'forward', 'hub']
    const found = [...doctor.stdout.matchAll(/^(?:ok|FAIL) +(\w+)/gm)].map(([, name]) => name!)
    expect(found.filter(name => chain.includes(name))).toEqual(chain.slice(0, chain.indexOf(link) + 1))
  },
)

test.for([
  '-oProxyCommand=touch pwned',
  'a b',
  ';id',
  '$(id)',
  'a\nb',
  'me@-oX',
  '-F',
  'ovh5;',
  "o'5",
  'ö',
  '',
  '.',
  'local ',
])('a host may not be named %j', name => {
  expect(SshHost.safeParse(name).success).toBe(false)
})

test.for(['ovh5', 'me@ovh5.example.com', '10.0.3.1', 'a_b-c.d', 'root@h'])('a host may be named %j', name => {
  expect(SshHost.parse(name)).toBe(name)
})

test.for(['-oProxyCommand=touch pwned', 'a b', ';touch pwned'])(
  'a host named %j is refused before ssh is started, wherever it is configured',
  async (name, context) => {
    const { sshd, laptop } = await startLaptop(context, { sshHost: name }, hubAlone)
    const cwd = laptop.machine.userHome
    const code = '7Q2M-XK4T-B0ZD-91FH'
    const why = 'a host for ssh is HOST or USER@HOST'
    const tried = await Promise.all(
      [
        ['machines'],
        ['join', '--machine', 'x', '--code', code, '--', `ssh:${name}`],
        ['invite', 'x', `--via=${name}`],
        ['install-relay', '--dry-run', '--', name],
      ].map(args => laptop.machine.run(args, { env: laptop.env, cwd })),
    )
    expect(tried.map(({ code, stdout, stderr }) => [code, stdout, stderr.includes(why)])).toEqual(
      [1, 2, 2, 2].map(status => [status, '', true]),
    )
    expect([laptop.ssh, sshd.log.includes('Connection from'), existsSync(join(cwd, 'pwned'))]).toEqual([
      [],
      false,
      false,
    ])
  },
)
