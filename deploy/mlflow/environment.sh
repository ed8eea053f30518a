# Sourced by serve.sh and postgres.sh: takes from .env what the environment does not say yet.
if [ -f "$here/.env" ]; then
  while read -r line || [ -n "$line" ]; do
    case "$line" in [A-Z]*=*) ;; *) continue ;; esac
    eval "[ -n \"\${${line%%=*}:-}\" ]" || export "${line?}"
  done < "$here/.env"
fi
export PGUSER="${PGUSER:-mlflow}" PGDATABASE="${PGDATABASE:-mlflow}"
: "${PGPASSWORD:?is empty: set it in $here/.env}"
