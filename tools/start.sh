#!/bin/sh
# npm start: everything Millrace needs on one machine, then a first VM. Options: npm start -- --help
set -eu
root=$(cd "$(dirname "$0")/.." && pwd -P)
# before root comes in, so that the packages belong to whoever has the project's directory
. "$root/tools/node.sh"

for argument in "$@"; do
  case $argument in --help | -h) exec "$node" "$root/apps/standalone/src/main.ts" --help ;; esac
done
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "Millrace starts VMs and networks, which needs root, and there is no sudo here." >&2
    echo "As root, run: cd '$root' && npm start" >&2
    exit 1
  fi
  echo "· VMs and networks need root: going on with sudo"
  exec sudo -E -- "$node" "$root/apps/standalone/src/main.ts" "$@"
fi
exec "$node" "$root/apps/standalone/src/main.ts" "$@"
