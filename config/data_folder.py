"""The one folder of all state: MARROWLOOP_DATA, by default `var` in the repository."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from config.environment import EnvironmentProblem

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


def prepare_data_folder(folder: Path, megabytes: int = 5) -> Path:
    """Makes the folder where it is missing, and gives it back.

    Raises EnvironmentProblem where it cannot be used, or where its disk has fewer free `megabytes`.
    """
    try:
        if not folder.exists():
            folder.mkdir(parents=True)
            # Images of patients lie here. As root, PostgreSQL runs as a user of its own, which must be able to
            # pass through, though not to look around.
            folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise problem_with(folder, error) from None
    if free < megabytes * 1_000_000:
        raise EnvironmentProblem(
            f"The disk that holds the data folder {folder} is full: {free // 1_000_000} MB are free, "
            f"{megabytes} MB are needed."
        )
    return folder


def problem_with(folder: Path, error: OSError) -> EnvironmentProblem:
    """The sentence for what the operating system says about the data folder."""
    if error.errno in FULL_DISK:
        return EnvironmentProblem(f"The disk that holds the data folder {folder} is full.")
    return EnvironmentProblem(f"The data folder {folder} (MARROWLOOP_DATA) cannot be used: {error.strerror}.")
