#!/bin/sh
# stand.sh COMMAND…: for each line on its input runs the command and answers how that went (see measure/stand.ts).
echo ready
while read -r _; do
  if "$@" </dev/null >&2; then echo ok; else echo "failed exit code $?:"; fi
done
