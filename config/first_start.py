"""What the first start makes: an annotator, an admin, and a demo study of synthetic smears."""

from __future__ import annotations

import os
import secrets
import signal
import string
import subprocess
import sys
from pathlib import Path
from typing import Any

from config.embedded import REPOSITORY
from config.keeper import die_with_parent

DEMO_STUDY = "Demo"
# One field of each patient comes annotated, so that a round can be launched at once; the others wait with first
# proposals, so that there is something to correct.
DEMO_COMMANDS = (
    ["make_demo", "--study", DEMO_STUDY, "--patients", "6", "--images-per-patient", "2"]
    + ["--size", "2560x1920", "--annotated", "6"],
    ["propose", "--study", DEMO_STUDY, "--bundle", "watershed"],
)
ACCOUNTS = {"annotator": False, "admin": True}  # name: superuser
# Without the letters and digits that look alike: somebody types it from the terminal.
_ALPHABET = "".join(sorted(set(string.ascii_letters + string.digits) - set("lI1O0o")))


def first_login(data_folder: Path) -> dict[str, str | None]:
    """The accounts and the passwords they were made with; None for an account whose password is another by now.

    The passwords are kept in `first-login.txt`, readable by its owner alone, so that a later start can show them.
    """
    from django.contrib.auth import get_user_model

    kept = data_folder / "first-login.txt"
    passwords: dict[str, str] = {}
    if kept.exists():
        passwords = dict(line.split(": ", 1) for line in kept.read_text(encoding="utf-8").splitlines() if ": " in line)
    users: Any = get_user_model().objects
    shown: dict[str, str | None] = {}
    for name, is_admin in ACCOUNTS.items():
        user = users.filter(username=name).first()
        if user is None:
            password = passwords.setdefault(name, "".join(secrets.choice(_ALPHABET) for _ in range(16)))
            # Written first: an account whose password nobody knows would be worse than a line too many.
            _keep(kept, passwords)
            user = users.create_user(name, password=password, is_staff=is_admin, is_superuser=is_admin)
        known = passwords.get(name)
        shown[name] = known if known is not None and user.check_password(known) else None
    return shown


def _keep(path: Path, passwords: dict[str, str]) -> None:
    fresh = path.with_suffix(".part")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{name}: {password}\n" for name, password in passwords.items())
    fresh.replace(path)


def make_demo_once(data_folder: Path) -> str | None:
    """Makes the demo study unless an earlier start did, or somebody has begun work of their own.

    Gives None, or the sentence that says why there is none; the next start then tries again.
    """
    from django.apps import apps

    study_model: Any = apps.get_model("annotation", "Study")
    marker = data_folder / "demo-made"
    if marker.exists():
        return None
    if not study_model.objects.exclude(name=DEMO_STUDY).exists():
        print("Making the demo study of synthetic smears (once) …", file=sys.stderr, flush=True)
        for command in DEMO_COMMANDS:
            made = subprocess.run(
                [sys.executable, str(REPOSITORY / "manage.py"), *command],
                capture_output=True,
                text=True,
                # Ctrl-C is for us; we then take it with us.
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )
            if made.returncode:
                lines = [line for line in made.stderr.splitlines() if line.strip()]
                return f"The demo study could not be made: {lines[-1] if lines else 'no reason given'}"
        _admit_to_demo()
    marker.touch()
    return None


def _admit_to_demo() -> None:
    """Makes both accounts members of the demo study."""
    from django.apps import apps
    from django.contrib.auth import get_user_model

    study: Any = apps.get_model("annotation", "Study").objects.get(name=DEMO_STUDY)
    membership: Any = apps.get_model("annotation", "Membership")
    users: Any = get_user_model().objects
    for name in ACCOUNTS:
        membership.objects.get_or_create(study=study, user=users.get(username=name), defaults={"role": name})
