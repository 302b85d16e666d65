#!/bin/sh
# Puts etcd of Debian's suite trixie (3.5.16 or newer) into the directory $1 and prints the path of the program. The package lists and the
# package are stored there too, so that apt's own lists and the installed packages of this machine do not change. Needs root on Debian.
set -eu
dir=$1
mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
if ! [ -x "$dir/usr/bin/etcd" ]; then
  mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | head -n 1)
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  printf 'deb [signed-by=%s] %s trixie main\n' "$keyring" "$mirror" >"$dir/sources.list"
  set -- -o "Dir::Etc::sourcelist=$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State::lists=$dir/lists" \
    -o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none
  apt-get -qq "$@" update >&2
  (cd "$dir" && apt-get -qq "$@" download etcd-server >&2)
  dpkg-deb -x "$dir"/etcd-server_*.deb "$dir"
  rm -rf "$dir/lists" "$dir/cache"
fi
echo "$dir/usr/bin/etcd"
