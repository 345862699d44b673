#!/bin/sh
# npm run dev: the real management server with simulated hosts. Options: npm run dev -- --help
set -eu
root=$(cd "$(dirname "$0")/.." && pwd -P)
. "$root/tools/node.sh"
main=$root/apps/standalone/src/dev/main.ts
if [ "$(id -u)" = 0 ] || ! command -v sudo >/dev/null; then exec "$node" "$main" "$@"; fi
for argument in "$@"; do
  case $argument in --help | -h) exec "$node" "$main" --help ;; esac
done
exec sudo -E -- "$node" "$main" "$@"
