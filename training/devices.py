"""Where a training computes: CPU or CUDA, in which precision, and in how many processes (`torchrun`).

Under `torchrun` every process takes its share of each batch and the gradients are averaged, so that the settings mean
the same whatever number of processes computes. All processes hold the same network and share evaluation; the first
one alone writes files and says how far it is.
"""

import contextlib
import os
import resource
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

# What waits for the first process may wait for a long evaluation.
PATIENCE = timedelta(hours=6)

T = TypeVar("T")


class DeviceError(ValueError):
    """A way of computing that was asked for and is not there; one sentence."""


class TeamError(RuntimeError):
    """Another process of the team is gone; one sentence."""


@dataclass(frozen=True)
class Team:
    """The processes that train one network together, mostly one, and what each computes with."""

    device: torch.device = torch.device("cpu")
    # Of autocast; None computes in single precision.
    precision: torch.dtype | None = None
    rank: int = 0
    size: int = 1

    def __str__(self) -> str:
        """For people: "cpu", "cuda (NVIDIA H200), bfloat16, 2 processes"."""
        name = f" ({torch.cuda.get_device_name(self.device)})" if self.device.type == "cuda" else ""
        precision = f", {str(self.precision).removeprefix('torch.')}" if self.precision else ""
        return f"{self.device.type}{name}{precision}" + (f", {self.size} processes" if self.size > 1 else "")

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share(self, count: int) -> range:
        """Which of `count` images of a batch are this process's."""
        return range(self.rank, count, self.size)

    def autocast(self) -> contextlib.AbstractContextManager[None]:
        if self.precision is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.precision)

    def scaler(self) -> torch.amp.GradScaler:
        """Half precision has too few exponents for small gradients: they are scaled. Otherwise it does nothing."""
        return torch.amp.GradScaler(self.device.type, enabled=self.precision is torch.float16)

    def any(self, flag: bool) -> bool:
        """Whether the flag is true in any process, so that all take the same way."""
        if self.size == 1:
            return flag
        together = torch.tensor(int(flag), device=self.device)
        with _heard():
            dist.all_reduce(together, dist.ReduceOp.MAX)
            return bool(together)

    def average_gradients(self, parameters: Iterable[nn.Parameter], weight: float) -> None:
        """Replace the gradients by their sum over the processes, each times its weight (they sum to 1)."""
        if self.size == 1:
            return
        parameters = list(parameters)
        # One message, in which a part of the network that took no part here counts as zero.
        whole = torch.cat(
            [torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in parameters]
        ).mul_(weight)
        with _heard():
            dist.all_reduce(whole)
        for p, gradient in zip(parameters, whole.split([p.numel() for p in parameters]), strict=True):
            p.grad = gradient.view(p.shape).to(p.dtype)

    def average(self, value: Tensor, weight: float) -> float:
        """A number's weighted sum over the processes."""
        if self.size == 1:
            return float(value.detach())
        whole = value.detach().to(self.device, torch.float64) * weight
        with _heard():
            dist.all_reduce(whole)
            return float(whole)

    def gathered(self, own: list[T], count: int) -> list[T]:
        """In every process, the list of which each process holds its share (the items of `share(count)`)."""
        if self.size == 1:
            return own
        parts: list[Any] = [None] * self.size
        with _heard():
            dist.all_gather_object(parts, own)
        return [parts[i % self.size][i // self.size] for i in range(count)]

    def same_weights(self, model: nn.Module) -> None:
        """Give all processes the first one's weights."""
        if self.size > 1:
            with _heard():
                for value in model.state_dict().values():
                    dist.broadcast(value, src=0)

    def peak_memory(self) -> int:
        """The most memory in bytes that was in use at once: of the GPU where there is one, else of this process."""
        if self.device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self.device))
        return peak_of_process()


ALONE = Team()


@contextlib.contextmanager
def _heard() -> Iterator[None]:
    """Raises TeamError where the others do not answer."""
    try:
        yield
    except RuntimeError as problem:
        # gloo has no error of its own. A GPU's own errors also come to light where it is waited for.
        if not isinstance(problem, dist.DistError) and "gloo" not in str(problem):
            raise
        raise TeamError(
            "Another process of this training has ended; the same command goes on from the last checkpoint."
        ) from problem


def peak_of_process() -> int:
    """The most memory in bytes that this process has had resident."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        # What getrusage says would count the process that started this one, up to the moment of the start.
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


@contextlib.contextmanager
def open_team(amp: str, batch: int) -> Iterator[Team]:
    """The team that this process belongs to, as `torchrun` says by RANK, LOCAL_RANK and WORLD_SIZE; alone without.

    `amp` is auto (bf16 or fp16 on a GPU, whichever it computes, off on a CPU), off, bf16 or fp16. Raises DeviceError.
    """
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    if size > batch:
        raise DeviceError(f"A batch of {batch} images cannot be shared by {size} processes; a larger batch can.")
    device = torch.device("cpu")
    if torch.cuda.is_available():
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise DeviceError(f"Process {local + 1} of this machine has no GPU: there are {torch.cuda.device_count()}.")
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    team = Team(device, precision_of(amp, device), rank, size)
    if size == 1:
        yield team
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield team
    finally:
        # After a failure the others may be gone: whoever waits for them here would wait in vain.
        with contextlib.suppress(RuntimeError):
            dist.destroy_process_group()


def precision_of(amp: str, device: torch.device) -> torch.dtype | None:
    """The precision of autocast that the setting `amp` means on a device, None for none. Raises DeviceError."""
    if amp == "off" or (amp == "auto" and device.type == "cpu"):
        return None
    if amp == "auto":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if amp == "fp16" and device.type == "cpu":
        raise DeviceError("The setting amp=fp16 needs a GPU; a CPU trains with amp=off or bf16.")
    return {"bf16": torch.bfloat16, "fp16": torch.float16}[amp]


def out_of_memory(problem: BaseException) -> bool:
    """Whether an error says that memory, the machine's or the GPU's, has run out."""
    if isinstance(problem, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(problem)
    return isinstance(problem, RuntimeError) and any(
        sign in text for sign in ("DefaultCPUAllocator", "can't allocate memory", "not enough memory", "out of memory")
    )
