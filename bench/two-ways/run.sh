#!/bin/sh
# See README.md beside this file.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd -P)
. "$root/tools/node.sh"
exec sh "$root/test/machine/run-in-machine.sh" "$node" "$root/bench/two-ways/main.ts" "$@"
