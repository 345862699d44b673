#!/bin/sh
# npm test: sets up what tests need, then runs every check and every test. npm test -- PATTERN runs only the test files
# whose path contains PATTERN.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd -P)
. "$root/tools/node.sh"
cd "$root"
exec "$node" "$root/test/runner/run-all.ts" "$@"
