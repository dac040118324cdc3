#!/bin/sh
# A worker container: takes jobs from $QUEUE, one at a time.
set -eu
exec celery --app config.celery worker --queues "$QUEUE" --concurrency 1 --hostname "$QUEUE@%h" --loglevel INFO
