import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bootSystem } from './support/booted-system.ts'
import { findTool } from './support/newcomer.ts'
import { until } from './support/until.ts'

const botToken = '123456:AAExampleOfATokenThatOnlyRootCanRead'

/** A substitute for Telegram that records the requested paths and returns no updates. */
const botApi = `
const { appendFileSync } = require('node:fs')
require('node:http').createServer((request, response) => {
  appendFileSync('/mnt/shared/bot.log', request.url + '\\n')
  const isPoll = request.url.endsWith('/getUpdates')
  const result = isPoll ? [] : { id: 123456, is_bot: true, first_name: 'bot', username: 'a_bot' }
  setTimeout(() => response.end(JSON.stringify({ ok: true, result })), isPoll ? 500 : 0)
}).listen(8081, '127.0.0.1')
`

test('under a real systemd a relay needs one file, and reaches its hub with a key that only root can read', {
  timeout: 180_000,
}, async context => {
  if (!findTool('sshd')) context.skip('a relay needs an sshd to go to, and openssh-server is not installed here')
  const system = await bootSystem(context)
  cpSync('dist/claude-net.mjs', join(system.shared, 'alone.mjs'))
  writeFileSync(
    join(system.shared, 'sshd_config'),
    'HostKey /mnt/shared/host_key\nAuthorizedKeysFile /mnt/shared/authorized_keys\nStrictModes no\nUsePAM no\nPidFile none\n',
  )
  writeFileSync(
    join(system.shared, 'far-hub.cjs'),
    `require('node:http').createServer((_, response) => response.end('the hub')).listen(3500, '127.0.0.1')`,
  )
  // The hub's host, in a network of its own, with a server at the hub's port.
  await system.out(`mkdir -p /run/sshd /root/alone && mv /mnt/shared/alone.mjs /root/alone/claude-net.mjs
ip netns add far
ip link add near type veth peer name far netns far
ip address add 198.18.0.1/24 dev near && ip link set near up
ip -n far address add 198.18.0.2/24 dev far && ip -n far link set far up && ip -n far link set lo up
ssh-keygen -q -t ed25519 -N '' -f /mnt/shared/host_key
echo "198.18.0.2 $(cut -d' ' -f1-2 /mnt/shared/host_key.pub)" > /mnt/shared/known_hosts
ip netns exec far ${findTool('sshd')} -f /mnt/shared/sshd_config
systemd-run -q --unit=far-hub ip netns exec far /mnt/shared/bin/node /mnt/shared/far-hub.cjs`)
  const installed = await system.out(
    'node /root/alone/claude-net.mjs install-relay root@198.18.0.2 --known-hosts /mnt/shared/known_hosts --json',
  )
  const { authorizedKey } = JSON.parse(installed) as { authorizedKey: string }
  writeFileSync(join(system.shared, 'authorized_keys'), `${authorizedKey}\n`)
  await until(
    'the hub answers through the relay',
    async () => (await system.sh('curl -fsS http://localhost:3500/')).stdout === 'the hub',
    120_000,
  )
  expect(await system.out('ps -o user:32= -p $(systemctl show -P MainPID claude-net-relay)')).toBe('claude-net-relay\n')
  const key = '/etc/claude-net-relay/id_ed25519'
  expect(await system.out(`stat -c '%a %U' ${key}`)).toBe('600 root\n')
  expect((await system.sh(`runuser -u claude-net-relay -- cat ${key}`)).code).not.toBe(0)
})

test("under a real systemd the hub gets its bot's token, which only root can read; one command serves admin and machine", {
  timeout: 180_000,
}, async context => {
  const system = await bootSystem(context)
  const telegram = { chatId: -100, humans: { sean: { id: 7 } }, apiRoot: 'http://127.0.0.1:8081' }
  writeFileSync(join(system.shared, 'bot.cjs'), botApi)
  writeFileSync(join(system.shared, 'hub.json'), JSON.stringify({ telegram }))
  writeFileSync(join(system.shared, 'telegram.token'), `${botToken}\n`)
  writeFileSync(join(system.shared, 'bot.log'), '')
  await system.out(`systemd-run -q --unit=bot /mnt/shared/bin/node /mnt/shared/bot.cjs
mkdir /etc/claude-net && cp /mnt/shared/hub.json /etc/claude-net/
install -m 600 /mnt/shared/telegram.token /etc/claude-net/telegram.token
/mnt/shared/package/install.sh`)
  await until(
    'the bot polls',
    async () => (await system.sh(`grep -F '/bot${botToken}/getUpdates' /mnt/shared/bot.log`)).code === 0,
    120_000,
  )
  expect((await system.sh('runuser -u claude-net -- cat /etc/claude-net/telegram.token')).code).not.toBe(0)
  expect(await system.out('claude-net telegram')).toContain('Bot @a_bot')

  const [, line] = /^ {2}(printf .* \| sh)$/m.exec(
    await system.out('claude-net invite hubhost --url http://127.0.0.1:3500'),
  )!
  expect(await system.out(`${line} -s -- --no-claude`)).toMatch(/^ok +token +the hub knows this machine as hubhost/m)
  const linked = () => system.out('readlink /usr/local/bin/claude-net')
  expect(await linked()).toBe('/opt/claude-net/bin/claude-net\n')
  expect(await system.out('claude-net machines')).toContain('hubhost (you)')
  expect(await system.out('claude-net members')).toMatch(/^hubhost +machine/m)
  await system.out('claude-net leave')
  expect(await linked()).toBe('/opt/claude-net/bin/claude-net\n')
})
