"""A program that ./run started ends with it, also where it was asked to at a moment when it could not listen."""

from __future__ import annotations

import os
import signal
import threading
import time

# Set by the supervisor for what it starts: its own process id.
SUPERVISOR = "MARROWLOOP_SUPERVISOR"
LOOK_SECONDS = 1.0
# The kernel's word that the supervisor has gone (Child.death) comes at once, and is given so long to work.
GRACE_SECONDS = 8.0


def end_when_orphaned(look: float = LOOK_SECONDS, grace: float = GRACE_SECONDS) -> threading.Thread | None:
    """Watch in a thread for the end of the supervisor, and end this process and its group `grace` seconds after it.

    The kernel says so once, by a signal: Celery and gunicorn turn it into an exception, which is lost where it is
    raised in a callback or while they begin. Returns None, and does nothing, where no supervisor started this process.
    Ends it at once where the supervisor has gone already.
    """
    supervisor = int(os.environ.get(SUPERVISOR, "0"))
    if not supervisor:
        return None
    if os.getppid() != supervisor:
        if not _lives(supervisor):
            raise SystemExit("Whoever started this has ended.")
        return None

    def watch() -> None:
        while os.getppid() == supervisor:
            time.sleep(look)
        time.sleep(grace)
        # The supervisor gives each of its children a session, so that the group is this child's own.
        if os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    thread = threading.Thread(target=watch, name="orphan watch", daemon=True)
    thread.start()
    return thread


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
