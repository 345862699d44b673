#!/bin/sh
# Sourced with $root set: finds the project's own Node 24 (npm installs it as an optional dependency), installing the
# npm packages first when they are missing or older than the lock file. Leaves the path in $node.
if [ ! -x "$root/node_modules/.bin/node" ] || [ "$root/package-lock.json" -nt "$root/node_modules/.package-lock.json" ]; then
  echo "· npm packages: installing (npm ci)"
  (cd "$root" && npm ci --no-audit --no-fund --loglevel=error) || {
    echo "npm ci failed. Run it by hand in $root to see why: npm ci" >&2
    exit 1
  }
  touch "$root/node_modules/.package-lock.json"
fi
node=$root/node_modules/.bin/node
if ! "$node" -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 24 ? 0 : 1)' 2>/dev/null; then
  if node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 24 ? 0 : 1)' 2>/dev/null; then
    node=$(command -v node)
  else
    echo "Millrace needs Node 24, which npm brings for Linux on x64 and arm64. Here: $(uname -sm)." >&2
    echo "Install Node 24 or newer from your system and try again." >&2
    exit 1
  fi
fi
