#!/bin/sh
# curl-direct.sh URL SHA256 TARGET STORE [UNPACKER…]: as curl-tee.sh, but past the page cache, and zeros left out.
set -eu
. "${0%/*}/commit.sh"
url=$1 sha256=$2 target=$3 store=$4
shift 4
mkfifo "$target.fifo"
openssl dgst -sha256 -r <"$target.fifo" >"$target.sum" &
write() { dd of="$target.part" bs=1M iflag=fullblock oflag=direct conv=sparse status=none; }
if [ $# = 0 ]; then
  curl -sS --fail "$url" | tee "$target.fifo" | write
else
  curl -sS --fail "$url" | tee "$target.fifo" | "$@" | write
fi
wait $!
require_sum "$target.sum" "$sha256"
commit "$target.part" "$target" "$store"
