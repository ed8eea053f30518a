# What every machine of a cluster has set before `ray start`: its trials see these variables.
export PATH="$HOME/goemo/.venv/bin:$PATH"
export GOEMO_RUNS=/shared/goemo        # records, caches, checkpoints of trials
export HF_HOME=/shared/huggingface     # models and data sets of the hub, downloaded once
export RAY_AUTH_MODE=token             # the token is in ~/.ray/auth_token
export RAY_USAGE_STATS_ENABLED=0
# Only the driver logs, from the machine where `goemo search` runs:
# export MLFLOW_TRACKING_URI=http://SERVER:5000
