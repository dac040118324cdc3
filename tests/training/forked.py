"""Processes of their own for tests, from one that has loaded torch once: loading it anew takes each of them seconds."""

import multiprocessing
from multiprocessing.context import ForkServerContext


def forked() -> ForkServerContext:
    """Where to start processes. Nothing is shared with the test's own process, whose threads a plain fork would cut."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["training.search", "training.detection_training", "torch._dynamo"])
    return context
