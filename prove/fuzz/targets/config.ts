import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Home } from '../../../src/client/home.ts'
import { findProject } from '../../../src/client/project/find-project.ts'
import { backupSettings, readHubConfig } from '../../../src/hub/config/hub-config.ts'
import { ClaudeNetError } from '../../../src/protocol/errors.ts'
import { MemberName } from '../../../src/protocol/names.ts'
import { Organization } from '../../../src/protocol/organization.ts'
import { Broken, filledIn, jsonOf, objectOf, type Target } from '../target.ts'

/** Purpose of a file. */
const files = ['hub.json', 'config.json', '.claude-net.json', 'projects.json', 'organization.json'] as const

/** Files that users write, or that come with a repository: each is accepted, or refused with a reason. */
export const config: Target = {
  name: 'config',
  what: 'hub.json, config.json, .claude-net.json, projects.json, the file of an organization',
  json: true,
  dictionary: [
    ...[
      ...files,
      'file',
      'json',
      'text',
      'host',
      'port',
      'data',
      'hosts',
      'url',
      'limits',
      'sends',
      'reads',
      'burst',
      'perMinute',
      'timeouts',
      'trustedNetworks',
      'trustedProxies',
      'console',
      'plain',
      'tls',
      'certFile',
      'keyFile',
    ],
    ...[
      'backup',
      'everyHours',
      'dir',
      'logTo',
      'keepDays',
      'telegram',
      'tokenFile',
      'chatId',
      'humans',
      'id',
      'username',
      'quiet',
      'timezone',
      'apiRoot',
      'timing',
      'logLevel',
      'journal',
      'endpoints',
      'name',
      'allowPlainEtcd',
    ],
    ...[
      'machine',
      'sshHost',
      'hub',
      'hubKey',
      'inbound',
      'mute',
      'headless',
      'projects',
      'shareProjects',
      'shareActivity',
      'project',
      'machines',
      'groups',
      'aliases',
      'owner',
      '22:00',
      'Europe/London',
      '10.0.0.0/8',
      '::1/128',
    ],
  ],
  seeds: [
    {
      file: 'hub.json',
      json: {
        host: '0.0.0.0',
        port: 3500,
        hosts: ['hub.example'],
        url: 'https://hub.example',
        limits: { sends: { burst: 5 } },
        backup: { everyHours: 1, logTo: 'tails' },
        trustedProxies: ['10.0.0.1'],
        logLevel: 'warn',
      },
    },
    {
      file: 'hub.json',
      json: {
        telegram: {
          tokenFile: 'telegram.token',
          chatId: -1,
          humans: {
            chas: { id: 5, username: 'ChasWatkins', quiet: ['22:00', '07:00'], timezone: 'Europe/London' },
            kristofer_sean: 'sean',
          },
        },
        tls: { certFile: 'a', keyFile: 'b' },
      },
    },
    { file: 'hub.json', text: '{\n "port": 70000,\n "limts": {}\n}' },
    {
      file: 'config.json',
      json: {
        machine: 'seanclaude',
        sshHost: 'ovh5',
        hub: 'http://10.0.3.1:3500',
        inbound: 'hold',
        mute: ['chas'],
        projects: { '/srv': 'shop' },
        shareProjects: true,
      },
    },
    { file: '.claude-net.json', json: { project: 'Shop Front' } },
    { file: 'projects.json', json: { projects: { shop: '/srv/shop', 'shop-2': '/srv/other/shop' } } },
    {
      file: 'organization.json',
      json: {
        humans: { sean: { aliases: ['s'] } },
        machines: { seanclaude: { owner: 'sean' } },
        groups: { web: ['seanclaude'] },
      },
    },
  ].map(each => JSON.stringify(each)),
  async open() {
    const root = mkdtempSync(join(tmpdir(), 'claude-net-fuzz-config-'))
    return {
      async run(input) {
        const { file, json, text } = objectOf(filledIn(jsonOf(input)))
        const name = files.find(each => each === file) ?? 'hub.json'
        try {
          read(root, name, typeof text === 'string' ? text : (JSON.stringify(json) ?? ''))
        } catch (error) {
          if (!(error instanceof ClaudeNetError)) throw error
          if (error.message === '' || error.hint === '') throw new Broken(`${name} is refused without a reason`)
        }
      },
      close: async () => rmSync(root, { recursive: true, force: true }),
    }
  },
}

function read(root: string, name: (typeof files)[number], text: string): void {
  const [home, shop] = [join(root, 'home'), join(root, 'repositories', 'shop')]
  mkdirSync(join(shop, '.git'), { recursive: true })
  mkdirSync(home, { recursive: true })
  writeFileSync(join(shop, '.git', 'HEAD'), 'ref: refs/heads/main\n')
  for (const each of ['config.json', 'projects.json']) rmSync(join(home, each), { force: true })
  rmSync(join(shop, '.claude-net.json'), { force: true })
  const path = join(name === '.claude-net.json' ? shop : home, name)
  writeFileSync(path, text)
  if (name === 'hub.json') {
    const config = readHubConfig({ config: path })
    backupSettings(config)
    return
  }
  if (name === 'organization.json') {
    Organization.safeParse(jsonOf(Buffer.from(text)))
    return
  }
  const config = name === 'config.json' ? new Home(home).readConfig() : undefined
  const { name: project } = findProject(shop, home, config ?? {}, { userHome: undefined, temporary: [] })
  if (project !== undefined && !MemberName.safeParse(project).success)
    throw new Broken(`a project is called ${JSON.stringify(project)}`)
}
