#!/bin/sh
# The first hour of a new user, in a folder of its own: clone, start, the printed requests, a kill, a second start, a stop.
set -eu
here=$(git rev-parse --show-toplevel)
work=$(mktemp -d "${TMPDIR:-/tmp}/yotei-smoke.XXXXXX")
port=${SMOKE_PORT:-8765}
base=http://127.0.0.1:$port
pid=

fail() {
  echo "smoke: $1" >&2
  if [ -f "$work/log" ]; then tail -n 40 "$work/log" >&2; fi
  exit 1
}

# The PostgreSQL processes whose data lies in our folder.
postgres_count() {
  n=0
  for p in /proc/[0-9]*; do
    if tr '\0' ' ' 2>/dev/null <"$p/cmdline" | grep -q "postgres.*$work"; then n=$((n + 1)); fi
  done
  echo $n
}

# The group of processes that `make run` became.
group_count() {
  n=0
  for p in /proc/[0-9]*; do
    if tr '\0' ' ' 2>/dev/null <"$p/cmdline" | grep -q "$work/clone/.venv"; then n=$((n + 1)); fi
  done
  echo $n
}

clean() {
  if [ -n "$pid" ] && kill -TERM "$pid" 2>/dev/null; then sleep 2; fi
  for p in /proc/[0-9]*; do
    if tr '\0' ' ' 2>/dev/null <"$p/cmdline" | grep -q "$work"; then kill -KILL "${p#/proc/}" 2>/dev/null || true; fi
  done
  rm -rf "$work"
}
trap clean EXIT

start() {
  : >"$work/log"
  (cd "$work/clone" && YOTEI_SERVER_PORT=$port exec make --no-print-directory run) >"$work/log" 2>&1 &
  make_pid=$!
  tries=0
  until "$python" - "$base/readyz" <<'PY' 2>/dev/null
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=1)
PY
  do
    kill -0 "$make_pid" 2>/dev/null || fail "the server ended before it was ready"
    tries=$((tries + 1))
    [ $tries -lt 600 ] || fail "the server was not ready in time"
    sleep 0.2
  done
  # The server's own parent process, not make: that is what a person would signal.
  pid=$(pgrep -o -f "$work/clone/.venv/bin/python.* run --demo" || true)
  [ -n "$pid" ] || fail "the server's process was not found"
}

ask() {
  grep '^curl ' "$work/log" >"$work/curls" || fail "no requests were printed"
  [ "$(wc -l <"$work/curls")" -eq 3 ] || fail "expected three requests to be printed"
  while read -r line; do
    answer=$(sh -c "$line") || fail "this failed: $line"
    echo "$answer" | grep -Eq '^\{.*("events"|"resources")' || fail "unexpected answer: $(echo "$answer" | head -c 300)"
    if echo "$answer" | grep -q '"errors"'; then fail "an answer with errors: $(echo "$answer" | head -c 300)"; fi
  done <"$work/curls"
}

for tool in curl pgrep; do
  if ! command -v $tool >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq curl procps >/dev/null
  fi
  command -v $tool >/dev/null || fail "$tool is needed to try what a user would do"
done
git clone --quiet "$here" "$work/clone"
python=$(command -v python3)
# Who works in an environment of their own has it active; ours must not land in it.
"$python" -m venv "$work/theirs"
export VIRTUAL_ENV="$work/theirs" UV_SYSTEM_PYTHON=1
theirs=$(ls "$work"/theirs/lib/*/site-packages)

echo "smoke: first start"
start
ask

[ "$(ls "$work"/theirs/lib/*/site-packages)" = "$theirs" ] || fail "something was installed into the active environment"

echo "smoke: kill, and start again at once"
kill -KILL "$pid"
start
ask

echo "smoke: stop"
kill -TERM "$pid"
tries=0
while [ "$(group_count)" -gt 0 ]; do
  tries=$((tries + 1))
  [ $tries -lt 150 ] || fail "the server did not end on SIGTERM"
  sleep 0.1
done
pid=
[ "$(postgres_count)" -eq 0 ] || fail "a PostgreSQL was left behind"
echo "smoke: passed"
