#!/bin/sh
# Push with curl: push.sh http://127.0.0.1:1969
set -eu
url=${1:-http://127.0.0.1:1969}
now=$(date +%s)000

# JSON: one series with its samples as columns (t in ms).
curl -sS --fail-with-body "$url/api/v1/push" -H 'Content-Type: application/json' -d "
  {\"series\": [{\"labels\": {\"__name__\": \"example_shell\", \"room\": \"kitchen\"},
                 \"t\": [$now], \"v\": [20.5]}]}"
echo

# Prometheus' text format.
curl -sS --fail-with-body "$url/api/v1/import/prometheus" --data-binary @- <<EOF
# HELP example_shell An example.
# TYPE example_shell gauge
example_shell{room="cellar"} 12 $now
EOF
