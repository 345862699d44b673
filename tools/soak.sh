#!/bin/sh
# npm run soak -- --minutes N [--seed S]: random rows of the table of faults under load, for N minutes. The seed, which the
# summary names, brings the same rows again.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd -P)
. "$root/tools/node.sh"
cd "$root"
usage() {
  echo 'usage: npm run soak -- --minutes N [--seed S]' >&2
  exit 2
}
MILLRACE_SOAK_MINUTES=60
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage
  case $2 in '' | *[!0-9]*) usage ;; esac
  case $1 in
    --minutes) MILLRACE_SOAK_MINUTES=$2 ;;
    --seed) export MILLRACE_SOAK_SEED="$2" ;;
    *) usage ;;
  esac
  shift 2
done
export MILLRACE_SOAK_MINUTES
exec "$node" "$root/test/runner/run-all.ts" test/faults/faults
