# Read by the others: the last steps that all of them share.

# require_sum FILE SHA256: FILE holds what `openssl dgst -r` printed
require_sum() {
  read -r sum _ <"$1"
  if [ "$sum" != "$2" ]; then
    echo "wrong digest: $sum" >&2
    exit 1
  fi
}

# unpack FROM TO [UNPACKER…]: a second pass, or a mere rename
unpack() {
  from=$1 to=$2
  shift 2
  if [ $# = 0 ]; then mv "$from" "$to"; else "$@" <"$from" >"$to"; fi
}

# commit FILE TARGET STORE: converts to raw where the pool stores that, and makes the image durable under its name
commit() {
  if [ "$3" = raw ]; then
    qemu-img convert -t none -W -f qcow2 -O raw "$1" "$1.raw"
    rm "$1"
    mv "$1.raw" "$1"
  fi
  sync "$1"
  mv "$1" "$2"
  sync "${2%/*}"
}
