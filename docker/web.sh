#!/bin/sh
# The web container: brings the tables and the static files up to date, then serves.
set -eu
python manage.py migrate --noinput
python manage.py collectstatic --noinput --clear --verbosity 0 --ignore src --ignore '*.mjs'
exec gunicorn --config python:config.gunicorn_settings --bind 0.0.0.0:8000
