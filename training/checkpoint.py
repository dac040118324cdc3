"""The checkpoint of a training: everything that a killed process needs to go on as if nothing had happened.

One file, OUT/checkpoint.pt, written whole or not at all and loaded as data only. It names what it belongs to: the
snapshot, the settings, the seed, the parent, the libraries, and by its schema the code. One that is damaged or belongs
to another training is said and passed over, since training anew is always right, only slower.
"""

import contextlib
import errno
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

# Another number whenever the code means something else by a state, or goes on from it in another way.
SCHEMA = "marrowloop.checkpoint/2"
SECONDS = 20.0
# Writing may take a fiftieth of the time at most: a slow disk gets longer breaks.
LEAST_BREAK = 50.0
# Full: the file system, the quota, or the size that a file may have.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

State = dict[str, Any]


class Checkpoint:
    """What is kept of one training: the outcomes of the runs that are done (folds), and the state of the present one.

    `path` None keeps nothing. `identity` is compared as a whole. `say` gets sentences for the log. With `writes` False
    it is read alone, as by those who train together with whoever writes. States are plain data and tensors.
    """

    def __init__(
        self,
        path: Path | None,
        identity: Mapping[str, Any],
        say: Callable[[str], None] = lambda sentence: None,
        *,
        seconds: float = SECONDS,
        writes: bool = True,
    ) -> None:
        self.path = path
        self.identity = {"schema": SCHEMA, **identity}
        self.say = say
        self.seconds = seconds
        self.writes = writes and path is not None
        # Outcomes of the runs that are done, by name, and what else was noted at the last writing.
        self.outcomes: dict[str, State] = {}
        self.earlier: State = {}
        self._present: tuple[str, State] | None = None
        self._last = time.monotonic()
        self._took = 0.0
        self._failed = False
        if self.writes:
            self._remove_parts()
        if self.path is not None and self.path.exists():
            self._read(self.path)

    @property
    def found(self) -> bool:
        """Whether an earlier process left something to go on from."""
        return bool(self.outcomes) or self._present is not None

    def run(self, name: str, facts: Callable[[], State] = dict) -> "RunCheckpoint":
        """The part of one run (a fold, the refit). `facts` are asked at each writing and found as `earlier`."""
        begun = self._present[1] if self._present is not None and self._present[0] == name else None
        # Once it goes on, what it began from only takes memory.
        self._present = None
        return RunCheckpoint(self, name, begun, facts)

    def due(self) -> bool:
        return self.writes and time.monotonic() - self._last >= max(self.seconds, LEAST_BREAK * self._took)

    def write(self, present: tuple[str, State] | None, facts: State) -> None:
        """Failing to write costs the way back, never the training itself."""
        if not self.writes or self.path is None:
            return
        began = time.monotonic()
        content = {"identity": self.identity, "outcomes": self.outcomes, "present": present, "facts": facts}
        try:
            write_whole(self.path, content)
        except (OSError, RuntimeError) as problem:
            # torch's own writer hides the system's error in one of its own.
            if not self._failed:
                self.say(f"The checkpoint could not be written, and the training goes on: {no_space_or(problem)}")
            self._failed = True
        else:
            if self._failed:
                self.say("The checkpoint could be written again.")
            self._failed = False
        self._last = time.monotonic()
        self._took = self._last - began

    def remove(self) -> None:
        """The training is over and its bundle written."""
        if self.writes and self.path is not None:
            self.path.unlink(missing_ok=True)
            self._remove_parts()

    def _remove_parts(self) -> None:
        """Each process that was killed while it wrote has left one, of the size of the whole."""
        if self.path is not None:
            for part in self.path.parent.glob(f".{self.path.name}.*"):
                part.unlink(missing_ok=True)

    def _read(self, path: Path) -> None:
        try:
            with zipfile.ZipFile(path) as file:
                broken = file.testzip()
            if broken is not None:
                raise ValueError(f"its part {broken} does not fit its checksum")
            content = torch.load(path, map_location="cpu", weights_only=True)
            identity = content["identity"]
            outcomes, present, earlier = content["outcomes"], content["present"], content["facts"]
            others = [key for key in {**identity, **self.identity} if identity.get(key) != self.identity.get(key)]
        except MemoryError:
            raise
        except Exception as problem:
            # Whatever it is that lies there: it is no reason to fail.
            reason = str(problem).splitlines()[0] if str(problem) else type(problem).__name__
            self.say(f"The checkpoint cannot be read, so the training begins anew: {reason.rstrip('.')}.")
            return
        if others:
            self.say(
                "The checkpoint belongs to another training, so this one begins anew: "
                f"they differ in {', '.join(sorted(others))}."
            )
            return
        self.outcomes, self._present, self.earlier = outcomes, present, earlier


@dataclass(frozen=True)
class RunCheckpoint:
    """One run's part of the checkpoint; `begun` is the state at which an earlier process left it, else None."""

    whole: Checkpoint
    name: str
    begun: State | None
    facts: Callable[[], State]

    @property
    def outcome(self) -> State | None:
        """What an earlier process noted at the end of this run."""
        return self.whole.outcomes.get(self.name)

    def due(self) -> bool:
        return self.whole.due()

    def keep(self, state: State) -> None:
        """The run can be gone on from here."""
        self.whole.write((self.name, state), self.facts())

    def finish(self, outcome: State) -> None:
        """The run is done: its outcome is kept, its state no longer."""
        self.whole.outcomes[self.name] = outcome
        self.whole.write(None, self.facts())


def no_checkpoint() -> RunCheckpoint:
    """For a training that nobody continues."""
    return Checkpoint(None, {}).run("")


def write_whole(path: Path, content: State) -> None:
    """Save tensors and plain data to a file that appears whole or not at all, also when the power fails."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def no_space_or(problem: BaseException) -> str:
    """One sentence for an error of writing; torch and safetensors hide the system's own error within theirs."""
    inner: BaseException | None = problem
    while inner is not None:
        if isinstance(inner, OSError) and inner.errno in FULL:
            return "There is no space left on the disk."
        inner = inner.__cause__ or inner.__context__
    if any(f"os error {number})" in str(problem) for number in FULL):
        return "There is no space left on the disk."
    text = str(problem).strip().splitlines()
    return text[0] if text else f"{type(problem).__name__}."
