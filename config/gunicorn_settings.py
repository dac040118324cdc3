"""How gunicorn serves the pages, for ./run and for the image alike: `gunicorn -c python:config.gunicorn_settings`."""

from typing import Any

from config import environment
from config.orphan import end_when_orphaned

wsgi_app = "config.wsgi:application"
# Pages wait for the database more than they compute; threads also keep slow image downloads from blocking others.
worker_class = "gthread"
workers = environment.integer("MARROWLOOP_WEB_WORKERS", 2, minimum=1, maximum=64)
threads = environment.integer("MARROWLOOP_WEB_THREADS", 4, minimum=1, maximum=64)
# An upload of many images may take its time.
timeout = 300
graceful_timeout = 5
# Nothing here talks to it, and its socket would lie in somebody's home folder.
control_socket_disable = True


def on_starting(server: Any) -> None:
    end_when_orphaned()
