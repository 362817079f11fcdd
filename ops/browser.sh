#!/bin/sh
# Debian's Chromium for the browser tests: installed when it is missing and we may, and its path on standard output.
# Where we may not, it says so and ends well: the browser tests then skip with a reason.
set -eu

chromium=/usr/bin/chromium
if [ ! -x "$chromium" ]; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "browser: $chromium is missing and only root may install it: apt-get install chromium" >&2
    exit 0
  fi
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "browser: $chromium is missing and this system has no apt-get" >&2
    exit 0
  fi
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  export DEBIAN_FRONTEND=noninteractive
  if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "browser: chromium could not be installed" >&2
    exit 1
  fi
fi
echo "$chromium"
