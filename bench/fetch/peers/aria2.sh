#!/bin/sh
# aria2.sh METALINK-URL TARGET STORE [UNPACKER…]: sixteen connections; aria2c checks the digests that the metalink has.
set -eu
. "${0%/*}/commit.sh"
metalink=$1 target=$2 store=$3
shift 3
mkdir "$target.aria2"
curl -sS --fail -o "$target.meta4" "$metalink"
aria2c --metalink-file="$target.meta4" --dir="$target.aria2" --max-connection-per-server=16 --split=16 --min-split-size=1M \
  --file-allocation=falloc --check-certificate=false --no-conf --console-log-level=error --summary-interval=0 \
  --download-result=hide --follow-metalink=mem
mv "$target.aria2"/* "$target.fetched"
unpack "$target.fetched" "$target.part" "$@"
commit "$target.part" "$target" "$store"
