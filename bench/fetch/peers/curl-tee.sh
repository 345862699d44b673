#!/bin/sh
# curl-tee.sh URL SHA256 TARGET STORE [UNPACKER…]: one pass, with the digest taken beside it.
set -eu
. "${0%/*}/commit.sh"
url=$1 sha256=$2 target=$3 store=$4
shift 4
mkfifo "$target.fifo"
openssl dgst -sha256 -r <"$target.fifo" >"$target.sum" &
if [ $# = 0 ]; then
  curl -sS --fail "$url" | tee "$target.fifo" >"$target.part"
else
  curl -sS --fail "$url" | tee "$target.fifo" | "$@" >"$target.part"
fi
wait $!
require_sum "$target.sum" "$sha256"
commit "$target.part" "$target" "$store"
