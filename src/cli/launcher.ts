import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Home } from '../client/home.ts'
import { replaceFile } from '../disk/replace-file.ts'
import { userHome } from '../disk/user-home.ts'

/** The command that install-service puts onto a hub's host (service/layout.ts). */
const hubCommand = '/opt/claude-net/bin/claude-net'

/** Returns the directory on the PATH in which the command is linked. */
export function defaultBinDir(): string {
  const home = process.getuid?.() === 0 ? undefined : userHome()
  return home === undefined ? '/usr/local/bin' : join(home, '.local', 'bin')
}

/** Puts the client into the home, unless it runs from there, and the script that starts it. */
export function installClient(home: Home): void {
  const running = realpathSync(process.argv[1]!)
  if (!existsSync(home.clientFile) || realpathSync(home.clientFile) !== running) {
    copyFileSync(running, `${home.clientFile}.new`)
    renameSync(`${home.clientFile}.new`, home.clientFile)
  }
  mkdirSync(dirname(home.launcher), { recursive: true })
  replaceFile(home.launcher, launcherScript(home), 0o755)
  chmodSync(home.launcher, 0o755)
}

/**
 * Links the launcher as `binDir/claude-net`. The command of a hub on this host stays: it has all that a machine's has, and more.
 * Returns a remark for the user, or undefined when all is well.
 */
export function linkLauncher(home: Home, binDir: string): string | undefined {
  const link = join(binDir, 'claude-net')
  const present = lstatSync(link, { throwIfNoEntry: false })
  if (present?.isSymbolicLink() && readlinkSync(link) === hubCommand && existsSync(hubCommand)) {
    return home.dir === join(userHome() ?? '/', '.claude-net')
      ? undefined
      : `${link} is the command of the hub on this host, which serves ~/.claude-net; the command of ${home.dir} is ${home.launcher}`
  }
  if (present && !(present.isSymbolicLink() && readlinkSync(link).endsWith('/bin/claude-net'))) {
    return `${link} is not ours, so it stays; the command is ${home.launcher}`
  }
  try {
    mkdirSync(binDir, { recursive: true })
    rmSync(link, { force: true })
    symlinkSync(home.launcher, link)
  } catch (error) {
    return `${link} could not be made (${(error as NodeJS.ErrnoException).code}); the command is ${home.launcher}`
  }
  const onPath = (process.env.PATH ?? '').split(':').includes(binDir)
  return onPath ? undefined : `${binDir} is not on your PATH; the command is ${link}`
}

/** Removes `binDir/claude-net` if it leads to this home. */
export function unlinkLauncher(home: Home, binDir: string): void {
  const link = join(binDir, 'claude-net')
  const present = lstatSync(link, { throwIfNoEntry: false })
  if (present?.isSymbolicLink() && readlinkSync(link) === home.launcher) rmSync(link)
}

/**
 * Starts the client with the Node that installed it, or with the one on the PATH once that is gone. A hook that runs at every
 * prompt and after every tool use ends here when it has nothing to tell, in 2 ms: `sessionKey` of notice/session-dir.ts makes the same key. So does every
 * hook of a headless run, unless config.json speaks of these.
 */
function launcherScript(home: Home): string {
  return `#!/bin/sh
home=${shellQuote(home.dir)}
# The whole home directory was moved, or is mounted elsewhere.
[ -d "$home" ] || home=\${0%/bin/*}
CLAUDE_NET_HOME=\${CLAUDE_NET_HOME:-$home}
export CLAUDE_NET_HOME
# An editor's terminal has options in it that attach a debugger to every Node.
unset NODE_OPTIONS
if [ "$1" = hook ]; then
  headless=
  case $CLAUDE_CODE_ENTRYPOINT in
    sdk-*)
      while IFS= read -r line || [ -n "$line" ]; do
        case $line in *'"headless"'*) headless=1 ;; esac
      done 2>/dev/null <"$CLAUDE_NET_HOME/config.json"
      [ -n "$headless" ] || exit 0 ;;
  esac
fi
if [ "$1 $2" = 'hook --if-news' ]; then
  session=\${CLAUDE_CODE_MESSAGING_SOCKET##*/}
  session=\${session%.sock}
  for news in "$CLAUDE_NET_HOME/run/sessions/\${session:-$CLAUDE_PID}"*/news/*.json; do break; done
  [ -e "$news" ] || exit 0
fi
if ! [ -f "$home/claude-net.mjs" ]; then
  [ "$1" = hook ] && exit 0
  echo "claude-net: $home/claude-net.mjs is missing. Join again: ask the admin for claude-net invite NAME" >&2
  exit 1
fi
node=${shellQuote(lastingNode(process.execPath))}
if ! [ -x "$node" ]; then
  node=node
  case $(node --version 2>/dev/null) in
    v[2-9][0-9].*) ;;
    *)
      [ "$1" = hook ] && exit 0
      echo 'claude-net: Node.js 20 or newer is needed here. It was removed, or is not on the PATH.' >&2
      exit 1 ;;
  esac
fi
exec "$node" "$home/claude-net.mjs" "$@"
`
}

/** Returns the path of `node` to keep. Homebrew has each version in a folder that an upgrade removes, and a link to the newest. */
export function lastingNode(node: string): string {
  const [, prefix, formula] = /^(.*)\/Cellar\/([^/]+)\/[^/]+\/bin\/node$/.exec(node) ?? []
  const link = `${prefix}/opt/${formula}/bin/node`
  return formula !== undefined && existsSync(link) ? link : node
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
