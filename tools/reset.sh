#!/bin/sh
# npm run reset: removes what npm start made on this machine. Options: npm run reset -- --help
set -eu
root=$(cd "$(dirname "$0")/.." && pwd -P)
. "$root/tools/node.sh"

for argument in "$@"; do
  case $argument in --help | -h) exec "$node" "$root/apps/standalone/src/reset-main.ts" --help ;; esac
done
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "What npm start made belongs to root, and there is no sudo here." >&2
    echo "As root, run: cd '$root' && npm run reset" >&2
    exit 1
  fi
  exec sudo -E -- "$node" "$root/apps/standalone/src/reset-main.ts" "$@"
fi
exec "$node" "$root/apps/standalone/src/reset-main.ts" "$@"
