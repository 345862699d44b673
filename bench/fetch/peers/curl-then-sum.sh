#!/bin/sh
# curl-then-sum.sh URL SHA256 TARGET STORE [UNPACKER…]: what most people type.
set -eu
. "${0%/*}/commit.sh"
url=$1 sha256=$2 target=$3 store=$4
shift 4
curl -sS --fail -o "$target.fetched" "$url"
openssl dgst -sha256 -r "$target.fetched" >"$target.sum"
require_sum "$target.sum" "$sha256"
unpack "$target.fetched" "$target.part" "$@"
commit "$target.part" "$target" "$store"
