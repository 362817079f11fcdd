#!/bin/sh
# What the tests need beside the environment: PgBouncer, Redis, Kafka, PostgreSQL 15, the oldest that is promised, and
# the test-suite of graphql-core.
# Idempotent and quiet; says what it installs. As root it installs packages (no server of theirs is made or started),
# else it unpacks PgBouncer and Redis into .tools/; Kafka comes by Maven either way. Where something is not to be had it
# says so and succeeds: those tests skip with that reason (and fail with CI=true), and where apt has no PostgreSQL 15
# its tests are left out.
set -eu
cd "$(dirname "$0")/.."

without() {
    echo "test-tools: $1; its tests will not run" >&2
}

install() {
    echo "test-tools: installing the package $1"
    # RUNLEVEL=1: a test starts its own; the service of the package stays off.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "$1" >/dev/null 2>&1 ||
        without "apt-get could not install $1"
}

# unpack PROGRAM PACKAGES...: the program and the libraries that it may lack; a name that apt does not know is passed over.
unpack() {
    program=$1
    shift
    echo "test-tools: unpacking ${program##*/} and its libraries into .tools/"
    mkdir -p .tools/deb
    (cd .tools/deb && for package in "$@"; do
        apt-get download -qq "$package" >/dev/null 2>&1 || true
    done)
    for file in .tools/deb/*.deb; do
        [ -e "$file" ] || { without "apt-get could not download ${program##*/}"; return; }
        dpkg -x "$file" .tools
    done
    [ -x "$program" ] || without "the packages have no ${program##*/} in them"
}

install_postgresql_15() {
    if ! apt-cache show postgresql-15 >/dev/null 2>&1; then
        without "no PostgreSQL 15, and apt has no package of it"
        return
    fi
    # Read by the package before it makes a cluster; a file of the machine's own is left as it is.
    made=/etc/postgresql-common/createcluster.conf
    if [ ! -e "$made" ]; then
        mkdir -p /etc/postgresql-common
        echo "create_main_cluster = false" >"$made"
    fi
    install postgresql-15
}

# graphql-core's own test-suite is in its source distribution only. Name, version and hash are those of the lock file.
fetch_graphql_core() {
    locked=$(sed -n '/^graphql-core==/,/[^\\]$/p' requirements/dev.txt)
    release=$(echo "$locked" | sed -n 's/^graphql-core==\([^ ]*\).*/\1/p')
    [ ! -d ".tools/graphql-core/graphql_core-$release" ] || return 0
    echo "test-tools: fetching the source distribution of graphql-core $release into .tools/"
    mkdir -p .tools/graphql-core
    echo "$locked" | sed '/^ *#/d' >.tools/graphql-core/locked.txt
    .venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary graphql-core \
        --require-hashes -r .tools/graphql-core/locked.txt -d .tools/graphql-core >/dev/null 2>&1 &&
        tar -xzf ".tools/graphql-core/graphql_core-$release.tar.gz" -C .tools/graphql-core ||
        without "the source distribution of graphql-core could not be fetched"
}

updated=
update() {
    [ -n "$updated" ] || apt-get update -qq >/dev/null 2>&1 || true
    updated=yes
}

has_apt=$(command -v apt-get || true)
if ! command -v pgbouncer >/dev/null 2>&1 && [ ! -x .tools/usr/sbin/pgbouncer ]; then
    if [ -z "$has_apt" ]; then
        without "no PgBouncer, and no apt-get to install it with"
    elif [ "$(id -u)" = 0 ]; then
        update
        install pgbouncer
    else
        unpack .tools/usr/sbin/pgbouncer pgbouncer libevent-2.1-7 libcares2 libc-ares2
    fi
fi
if ! command -v redis-server >/dev/null 2>&1 && [ ! -x .tools/usr/bin/redis-server ]; then
    if [ -z "$has_apt" ]; then
        without "no Redis, and no apt-get to install it with"
    elif [ "$(id -u)" = 0 ]; then
        update
        install redis-server
    else
        unpack .tools/usr/bin/redis-server redis-server redis-tools libjemalloc2 liblzf1 libatomic1
    fi
fi
if [ ! -x /usr/lib/postgresql/15/bin/postgres ]; then
    if [ -z "$has_apt" ]; then
        without "no PostgreSQL 15, and no apt-get to install it with"
    elif [ "$(id -u)" = 0 ]; then
        update
        install_postgresql_15
    else
        without "no PostgreSQL 15, which only root can install"
    fi
fi
kafka=.tools/kafka-$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' ops/kafka.xml)
if [ ! -d "$kafka" ]; then
    if ! command -v java >/dev/null 2>&1 || ! command -v mvn >/dev/null 2>&1; then
        without "no Kafka, and no Java and Maven to get it with"
    else
        echo "test-tools: copying Kafka into $kafka"
        rm -rf .tools/kafka-*
        # Into its place only when all of it is there.
        mvn --batch-mode --quiet --strict-checksums --file ops/kafka.xml dependency:copy-dependencies \
            -DincludeScope=runtime -DoutputDirectory="$PWD/.tools/kafka-part" >/dev/null 2>&1 &&
            mv .tools/kafka-part "$kafka" || without "Maven could not get Kafka"
    fi
fi
fetch_graphql_core
