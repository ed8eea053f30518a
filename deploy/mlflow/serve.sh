#!/bin/sh
# An MLflow tracking server on PostgreSQL, with proxied artifacts and authentication.
#
#   ./serve.sh                      reads .env beside it; env.example says what is in it
#   MLFLOW_PORT=5001 ./serve.sh     what is in the environment wins
#
# The database is that of PGHOST, PGPORT, PGDATABASE, PGUSER and PGPASSWORD. Artifacts go to
# MLFLOW_ARTIFACTS_DESTINATION, by default ./artifacts beside this file.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/environment.sh"
: "${MLFLOW_AUTH_ADMIN_PASSWORD:?is empty: set it in $here/.env}"
: "${MLFLOW_FLASK_SERVER_SECRET_KEY:?is empty: set it in $here/.env}"

export MLFLOW_AUTH_ADMIN_USERNAME="${MLFLOW_AUTH_ADMIN_USERNAME:-admin}"
export MLFLOW_AUTH_CONFIG_PATH="${MLFLOW_AUTH_CONFIG_PATH:-$here/basic_auth.ini}"
export MLFLOW_ARTIFACTS_DESTINATION="${MLFLOW_ARTIFACTS_DESTINATION:-$here/artifacts}"
export MLFLOW_HOST="${MLFLOW_HOST:-127.0.0.1}" MLFLOW_PORT="${MLFLOW_PORT:-5000}"
export MLFLOW_WORKERS="${MLFLOW_WORKERS:-2}"
export MLFLOW_DISABLE_TELEMETRY=true
# Jobs judge the answers of language models; they want a database driver of their own.
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false

# The URI names no password, so that none is in the process list.
exec mlflow server --app-name basic-auth --backend-store-uri postgresql+psycopg:// --serve-artifacts
