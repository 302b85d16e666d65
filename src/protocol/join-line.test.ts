import { describe, expect, test } from 'vitest'
import { invitationLine } from './join-line.ts'

const code = 'AAAA-BBBB-CCCC-DDDD'
const hubKey = `sha256//${'A'.repeat(43)}=`
const at = (address: string, more: object = {}) =>
  invitationLine({ code, hubKey }, { address: new URL(address), hubPort: '3500', ...more })

describe('the join line of an invitation', () => {
  test('pins the key of the hub for its own port, by http or https', () => {
    const line = `printf '%s\\n' 'url="https://10.0.3.1:3500/join/${code}"' 'noproxy="*"' 'proto="=https"' 'insecure' 'pinnedpubkey="${hubKey}"' | curl -fsS -K - | sh`
    expect(at('http://10.0.3.1:3500')).toEqual({ command: line, origin: 'http://10.0.3.1:3500', hubKey })
    expect(at('https://10.0.3.1:3500').command).toBe(line)
    expect(at('https://10.0.3.1:3500', { hubPort: undefined }).command).toBe(line)
  })

  test('relies on the certificate of a TLS proxy', () => {
    const { command, hubKey } = at('https://hub.example.org')
    expect(command).toBe(
      `printf '%s\\n' 'url="https://hub.example.org/join/${code}"' 'noproxy="*"' | curl -fsSL -K - | sh`,
    )
    expect(hubKey).toBeUndefined()
  })

  test('pins the key only for http if the port of the hub is unknown', () => {
    expect(at('http://10.0.3.1', { hubPort: '' }).command).toContain('url="https://10.0.3.1:80/join/')
    expect(at('https://hub.example.org', { hubPort: '' }).command).not.toContain('pinnedpubkey')
  })

  test('uses ssh or plain HTTP if asked to', () => {
    expect(at('http://localhost:3500', { via: 'ovh5' }).command).toMatch(
      /\| ssh -T -o RemoteCommand=none ovh5 'curl -fsS -K -' \| sh$/,
    )
    expect(at('https://10.0.3.1:3500', { plain: true })).toMatchObject({
      command: `curl -fsSL --noproxy '*' 'http://10.0.3.1:3500/join/${code}' | sh`,
      hubKey: undefined,
    })
  })
})
