#!/bin/sh
# See README.md beside this file.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd -P)
. "$root/tools/node.sh"
exec "$node" "$root/bench/console/main.ts" "$@"
