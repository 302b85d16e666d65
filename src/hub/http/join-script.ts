import type { HubKey } from '../../protocol/hub-key.ts'
import { curlCommand } from '../../protocol/join-line.ts'
import { visibleLine } from '../../text/visible.ts'

/** What the script is made for. Every field has been checked against a strict pattern: they are pasted into shell text. */
export interface JoinScriptFor {
  /** The address at which the hub was asked: `http://10.0.3.1:3500`. */
  url: string
  name: string
  kind: 'machine' | 'human'
  code: string
  /** Where ssh goes to reach `url`, for a machine that does not by itself. */
  via?: string | undefined
  /** The key that the hub has just proven to curl, for the machine to pin. */
  hubKey?: HubKey | undefined
}

/**
 * POSIX sh that makes a machine a member: checks for Node, takes the client from the hub, and lets it join. All of it stands
 * in a function that is called on the last line, so that a cut download runs nothing.
 */
export function joinScript({ url, name, kind, code, via, hubKey }: JoinScriptFor): string {
  const where = (via ? `'ssh:${via}' --hub '${url}'` : `'${url}'`) + (hubKey ? ` --hub-key '${hubKey}'` : '')
  const who = `--machine '${name}'${kind === 'human' ? ' --human' : ''}`
  const from = via ? `${url} through ${via}` : url
  return `#!/bin/sh
# Claude Net: joins this machine as '${name}' to the hub at ${from}.
set -eu

fail() {
  printf 'claude-net: %s\\n' "$*" >&2
  exit 1
}

join() {
  command -v node >/dev/null 2>&1 || fail 'Node.js 20 or newer is needed here; it was not found on the PATH.'
  node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' ||
    fail "Node.js 20 or newer is needed here; this is $(node --version)."

  [ -n "\${CLAUDE_NET_HOME:-}\${HOME:-}" ] || fail 'HOME is not set. Set it, or CLAUDE_NET_HOME to the directory to use.'
  home=\${CLAUDE_NET_HOME:-$HOME/.claude-net}
  mkdir -p "$home"
  chmod 700 "$home"
  printf 'claude-net: taking the client from %s\\n' '${from}'
${via ? fetchThroughSsh(via, url, hubKey) : fetch(url, hubKey)}
  mv -f "$home/claude-net.mjs.new" "$home/claude-net.mjs"

  # By standard input: other users of this machine can read the arguments of every process.
  printf '%s\\n' '${code}' | node "$home/claude-net.mjs" join ${where} ${who} --code-stdin "$@"
}

join "$@"
`
}

function fetch(url: string, hubKey: HubKey | undefined): string {
  return `  ${curlCommand(`${url}/client/claude-net.mjs`, hubKey)} -o "$home/claude-net.mjs.new" ||
    fail 'The client could not be downloaded.'`
}

/**
 * Over a connection that ssh opens to the hub, not by a command there: what that host prints when somebody logs in never gets
 * into the file. In the same way the client will speak, so whatever stands in its way is found before the code is spent: over TLS
 * inside ssh where the hub has a key, which it must prove first.
 */
function fetchThroughSsh(via: string, url: string, hubKey: HubKey | undefined): string {
  const { hostname, port, host, protocol } = new URL(url)
  const options = 'BatchMode=yes StrictHostKeyChecking=yes ControlMaster=no ControlPath=none'
  const args = [
    ...options.split(' ').flatMap(option => ['-o', option]),
    '-W',
    `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`,
    '--',
    via,
  ]
  return `  command -v ssh >/dev/null 2>&1 || fail 'ssh is needed here; it was not found on the PATH.'
  node -e '
    const ssh = require("child_process").spawn("ssh", ${JSON.stringify(args)}, { stdio: ["pipe", "pipe", "inherit"] })
    let answer = Buffer.alloc(0)
    const end = status => (ssh.kill(), process.exit(status))
    ssh.on("error", () => end(1)).on("close", () => end(1))
    const ask = "GET /client/claude-net.mjs HTTP/1.1\\r\\nHost: ${host}\\r\\n\\r\\n"
${hubKey === undefined ? askPlainly : askOverTls(hubKey)}
    answers.on("data", part => {
      answer = Buffer.concat([answer, part])
      const start = answer.indexOf("\\r\\n\\r\\n") + 4
      if (start < 4) return
      const head = answer.toString("latin1", 0, start)
      const length = Number(/content-length: (\\d+)/i.exec(head)?.[1])
      if (!/^HTTP\\/1\\.1 200 /.test(head) || !length) end(1)
      if (answer.length < start + length) return
      require("fs").writeFileSync(process.argv[1], answer.subarray(start))
      end(0)
    })' "$home/claude-net.mjs.new" ||
    fail 'The client could not be taken through ${via}. This must work, and ask nothing: ssh -o BatchMode=yes ${via} true'`
}

const askPlainly = `    ssh.stdin.on("error", () => {}).write(ask)
    const answers = ssh.stdout`

function askOverTls(hubKey: HubKey): string {
  return `    const { createHash, X509Certificate } = require("crypto")
    const socket = require("stream").Duplex.from({ readable: ssh.stdout, writable: ssh.stdin })
    const answers = require("tls").connect({ socket, rejectUnauthorized: false, minVersion: "TLSv1.3" }, () => {
      const { publicKey } = new X509Certificate(answers.getPeerCertificate().raw)
      const hash = createHash("sha256").update(publicKey.export({ type: "spki", format: "der" }))
      if ("sha256//" + hash.digest("base64") === "${hubKey}") return answers.write(ask)
      console.error("claude-net: What answers there is not the hub that this line is of: it has another key.")
      end(1)
    })
    answers.on("error", () => end(1))`
}

/** A script that only says why, on stderr, and fails. */
export function failingScript(...why: string[]): string {
  const lines = why.map(line => `'${visibleLine(line, 1000).replaceAll("'", "'\\''")}'`)
  return `#!/bin/sh\nprintf 'claude-net: %s\\n' ${lines[0]} >&2\n${lines
    .slice(1)
    .map(line => `printf '%s\\n' ${line} >&2\n`)
    .join('')}exit 1\n`
}
