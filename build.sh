#!/bin/sh
# Builds dist/ (build.ts), or states in one sentence what this checkout lacks for that. Run by `npm run`.
set -eu
cd "$(dirname "$0")"

# For any Node that starts at all.
check='
  const { platform, arch, versions } = process
  const here = platform + "-" + arch
  const has = name => { try { return require.resolve(name) } catch { return undefined } }
  const fail = sentence => { console.log(sentence); process.exit() }
  if (!(parseInt(versions.node) >= 24)) fail(
    ["linux-x64", "linux-arm64"].includes(here)
      ? "Node " + versions.node + " is too old to build and run a hub, and the Node 24 that npm ci brings is not installed: run npm ci --include=optional --include=dev."
      : "Node 24 or newer is needed to build and run a hub; this is " + versions.node + ", and npm ci brings none for " + here + ": install it from nodejs.org.")
  if (!has("esbuild")) fail(
    "The packages that build a checkout are not installed (with NODE_ENV=production npm leaves them out): run npm ci --include=dev.")
  if (!has("@esbuild/" + here + "/package.json")) fail(
    "node_modules was installed for another system than this " + here + ", or without optional packages: run npm ci --include=optional --include=dev.")
'
lack=$(node -e "$check" 2>/dev/null) ||
  lack="The Node in node_modules does not run on this system ($(uname -sm)): remove node_modules and run npm ci here; where that brings no Node, install Node 24."
if [ -n "$lack" ]; then
  printf 'claude-net: %s\n' "$lack" >&2
  exit 1
fi
exec node build.ts
