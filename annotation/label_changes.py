"""Word that labels of cells have changed, for whoever learns from them: annotation does not know who that is."""

from collections.abc import Iterable
from functools import partial

from django.db import transaction
from django.dispatch import Signal

# Sent once the change is committed, with `labels`: the ids of the labels that cells got or lost, all of one study.
labels_changed = Signal()


def tell_labels_changed(labels: Iterable[int]) -> None:
    """Tell once the transaction at hand is committed; nobody where no label changed.

    A listener that fails is logged, and takes nothing from whoever saved the labels.
    """
    changed = frozenset(labels)
    if changed:
        transaction.on_commit(partial(labels_changed.send_robust, sender=None, labels=changed))
