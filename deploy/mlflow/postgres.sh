#!/bin/sh
# A PostgreSQL of your own in a folder, for machines without containers and without a database.
#
#   ./postgres.sh start FOLDER      made on the first start; listens on 127.0.0.1:$PGPORT (5432)
#   ./postgres.sh stop FOLDER
#
# PostgreSQL refuses to run as root: started by root, it runs as the user in PGRUNAS (postgres), and FOLDER
# has to be where that user can go.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 2 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2; }
. "$here/environment.sh"
export PGHOST=127.0.0.1 PGPORT="${PGPORT:-5432}"

# Debian keeps the programs out of PATH, in a folder a version; the newest is taken.
programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
PATH="$PATH${programs:+:$programs}"
command -v initdb > /dev/null || { echo "no PostgreSQL here; try: apt-get install postgresql" >&2; exit 1; }

mkdir -p "$2"
folder=$(cd "$2" && pwd)
if [ ! -d "$folder/data" ] && [ -n "$(ls -A "$folder")" ]; then
  echo "$folder is neither empty nor a database of this script" >&2
  exit 2
fi
as_owner() { "$@"; }
if [ "$(id -u)" -eq 0 ]; then
  owner=${PGRUNAS:-postgres}
  chown "$owner" "$folder"
  as_owner() { setpriv --reuid "$owner" --regid "$(id -g "$owner")" --clear-groups env PATH="$PATH" "$@"; }
fi
cd "$folder" # a folder that the owner can read

case "$1" in
start)
  if [ ! -f data/PG_VERSION ]; then
    (umask 077 && printf '%s\n' "$PGPASSWORD" > password && chown "$(stat -c %u .)" password)
    as_owner initdb --pgdata data --username "$PGUSER" --pwfile password --auth scram-sha-256 \
      --encoding UTF8 --locale C.UTF-8 > initdb.log
    rm password
  fi
  as_owner pg_ctl start --pgdata data --log "$folder/postgres.log" --wait --silent \
    --options "-c listen_addresses=127.0.0.1 -c port=$PGPORT -c unix_socket_directories=''"
  known=$(psql --dbname postgres --tuples-only --no-align --command \
    "select count(*) from pg_database where datname = '$PGDATABASE'")
  [ "$known" = 1 ] || createdb "$PGDATABASE"
  ;;
stop) as_owner pg_ctl stop --pgdata data --mode fast --silent ;;
*) echo "start or stop, not $1" >&2; exit 2 ;;
esac
