#!/bin/sh
# What the tests need beside Python: PgBouncer, and a Debian-family PostgreSQL 15 where there is one to be had.
# Idempotent and quiet; says what it installs. As root it installs packages, else it unpacks PgBouncer into .tools/.
# Where neither works it says so and succeeds: the tests skip with that reason (and fail with CI=true).
set -eu
cd "$(dirname "$0")/.."

missing() {
    echo "test-tools: $1; its tests will be skipped" >&2
    exit 0
}

if command -v pgbouncer >/dev/null 2>&1 || [ -x .tools/usr/sbin/pgbouncer ]; then
    exit 0
fi
command -v apt-get >/dev/null 2>&1 || missing "no PgBouncer, and no apt-get to install it with"

if [ "$(id -u)" = 0 ]; then
    echo "test-tools: installing the package pgbouncer"
    apt-get update -qq >/dev/null 2>&1 || true
    # A test starts its own; the service of the package stays off.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends pgbouncer >/dev/null 2>&1 ||
        missing "apt-get could not install pgbouncer"
    exit 0
fi

echo "test-tools: unpacking pgbouncer and its libraries into .tools/"
mkdir -p .tools/deb
(cd .tools/deb && for package in pgbouncer libevent-2.1-7 libcares2 libc-ares2; do
    apt-get download -qq "$package" >/dev/null 2>&1 || true
done)
for file in .tools/deb/*.deb; do
    [ -e "$file" ] || missing "apt-get could not download pgbouncer"
    dpkg -x "$file" .tools
done
[ -x .tools/usr/sbin/pgbouncer ] || missing "the package has no pgbouncer in it"
