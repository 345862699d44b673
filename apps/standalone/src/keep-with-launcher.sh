#!/bin/sh
# Becomes the given program, and sends it SIGINT when standard input ends: that is when the launcher, which holds the
# other end of the pipe, has died without a farewell. For programs that do not watch their standard input themselves.

# when a process started (proc(5), stat): with its number, this tells it from a later one that got the same number
started() {
  read -r line 2>/dev/null <"/proc/$1/stat" || return 1
  set -- ${line##*) }
  echo "${20}"
}

watched=$$
begin=$(started "$watched")
exec 3<&0
# twice in the background: the program must not find a child that it knows nothing of
(
  (
    cat <&3 >/dev/null
    # the pipe also ends once the program itself has ended
    if [ "$(started "$watched")" = "$begin" ]; then kill -INT "$watched"; fi
  ) &
)
exec "$@" </dev/null 3<&-
