#!/bin/sh
# Starts a search on the cluster that this machine belongs to, or goes on with it where its records are there:
# for a job that is started again after its machine was lost.
#
#   search-or-resume.sh NAME SPACE [OPTION of goemo search]...
set -eu
name=$1 space=$2
shift 2
if [ -e "${GOEMO_RUNS:-mlruns}/searches/$name/search.yaml" ]; then
  exec goemo resume "$name" --address auto
fi
exec goemo search "$space" --name "$name" --address auto "$@"
