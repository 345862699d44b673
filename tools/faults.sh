#!/bin/sh
# npm run faults: the whole table of faults (test/faults/rows.ts). npm run faults -- TEXT runs the rows whose name contains TEXT,
# such as "agent ×" or "migration"; several texts are divided by commas.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd -P)
. "$root/tools/node.sh"
cd "$root"
MILLRACE_FAULTS=${1:-all}
export MILLRACE_FAULTS
exec "$node" "$root/test/runner/run-all.ts" test/faults/
