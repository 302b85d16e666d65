import type { HubKey } from '../../protocol/hub-key.ts'
import { curlCommand } from '../../protocol/join-line.ts'
import { visibleLine } from '../../text/visible.ts'

/** Values of a join script. Every field must have been checked against a strict pattern, as it is pasted into shell text. */
export interface JoinScriptFor {
  /** Address at which the hub was reached: `http://10.0.3.1:3500`. */
  url: string
  name: string
  kind: 'machine' | 'human'
  code: string
  /** ssh destination through which the machine reaches `url`, if it cannot directly. */
  via?: string | undefined
  /** Key that the hub has just proven to curl, for the machine to pin. */
  hubKey?: HubKey | undefined
}

/**
 * Returns a POSIX sh script that makes a machine a member: it checks for Node, downloads the client from the hub and runs its `join`.
 * Everything is in a function that the last line calls, so that a truncated download runs nothing.
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
  printf 'claude-net: downloading the client from %s\\n' '${from}'
${via ? fetchThroughSsh(via, url, hubKey) : fetch(url, hubKey)}
  mv -f "$home/claude-net.mjs.new" "$home/claude-net.mjs"

  # On standard input, as other users of this machine can read the arguments of every process.
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
 * Downloads over a connection that ssh forwards to the hub, not by a command on that host, whose login output would get into the file.
 * The client connects in the same way, so that problems show before the code is used up: over TLS inside ssh if the hub has a key,
 * which it must prove first.
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
    fail 'The client could not be downloaded through ${via}. This must work without a prompt: ssh -o BatchMode=yes ${via} true'`
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
      console.error("claude-net: The server at that address is not the hub of this line: it has another key.")
      end(1)
    })
    answers.on("error", () => end(1))`
}

/** Returns a script that only prints the reason to stderr and fails. */
export function failingScript(...why: string[]): string {
  const lines = why.map(line => `'${visibleLine(line, 1000).replaceAll("'", "'\\''")}'`)
  return `#!/bin/sh\nprintf 'claude-net: %s\\n' ${lines[0]} >&2\n${lines
    .slice(1)
    .map(line => `printf '%s\\n' ${line} >&2\n`)
    .join('')}exit 1\n`
}
