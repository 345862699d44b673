#!/bin/sh
# npm run fuzz: feeds mutated files to every parser of hostile bytes. npm run fuzz -- [TARGET…] [--minutes N] [--seed N] [--keep]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd -P)
. "$root/tools/node.sh"
cd "$root"
exec "$node" "$root/test/fuzz/run.ts" "$@"
