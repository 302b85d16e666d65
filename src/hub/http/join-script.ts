/** What the script is made for. Every field has been checked against a strict pattern: they are pasted into shell text. */
export interface JoinScriptFor {
  /** The address at which the hub was asked: `http://10.0.3.1:3500`. */
  url: string
  name: string
  kind: 'machine' | 'human'
  code: string
}

/**
 * POSIX sh that makes a machine a member: checks for Node, takes the client from the hub, and lets it join. All of it stands
 * in a function that is called on the last line, so that a cut download runs nothing.
 */
export function joinScript({ url, name, kind, code }: JoinScriptFor): string {
  const command = `node "$home/claude-net.mjs" join '${url}' --machine '${name}'${kind === 'human' ? ' --human' : ''} --code '${code}' "$@"`
  return `#!/bin/sh
# Claude Net: joins this machine as '${name}' to the hub at ${url}.
set -eu

fail() {
  printf 'claude-net: %s\\n' "$*" >&2
  exit 1
}

join() {
  command -v node >/dev/null 2>&1 || fail 'Node.js 20 or newer is needed here; it was not found on the PATH.'
  node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' ||
    fail "Node.js 20 or newer is needed here; this is $(node --version)."

  home=\${CLAUDE_NET_HOME:-$HOME/.claude-net}
  mkdir -p "$home"
  chmod 700 "$home"
  printf 'claude-net: taking the client from %s\\n' '${url}'
  curl -fsSL '${url}/client/claude-net.mjs' -o "$home/claude-net.mjs.new" || fail 'The client could not be downloaded.'
  mv -f "$home/claude-net.mjs.new" "$home/claude-net.mjs"

  # The script itself comes in on stdin; questions are asked on the terminal, where there is one.
  if (exec </dev/tty) 2>/dev/null; then
    ${command} </dev/tty
  else
    ${command} </dev/null
  fi
}

join "$@"
`
}

/** A script that only says why, on stderr, and fails. */
export function failingScript(why: string): string {
  return `#!/bin/sh\nprintf 'claude-net: %s\\n' '${why.replaceAll("'", "'\\''")}' >&2\nexit 1\n`
}
