"""Moments of a study's past as people name them: a time, or what other apps know by a name of their own (a round)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from annotation.models import Study


class MomentError(ValueError):
    """A moment that cannot be told; the message says why in one sentence."""


@dataclass(frozen=True)
class Moment:
    """A moment, how people name it, and the images (sha256) of which it is known that they were finished then."""

    at: datetime
    name: str
    finished: frozenset[str] = frozenset()


# Takes a study and a text; None where the text is not of its kind. Raises MomentError where it is, but names nothing.
Reader = Callable[[Study, str], Moment | None]
_READERS: list[Reader] = []


def read_moments_by(reader: Reader) -> None:
    """Have moment_of() ask a reader too. For the apps that know moments by name, once as they start."""
    if reader not in _READERS:
        _READERS.append(reader)


def moment_of(study: Study, text: str) -> Moment:
    """The moment that a text names: a time in ISO 8601 (without an offset: in the server's zone), or a name.

    Raises MomentError, also for a time to come.
    """
    for reader in _READERS:
        found = reader(study, text)
        if found is not None:
            return found
    try:
        at = datetime.fromisoformat(text.strip())
        # At the ends of the calendar there is no such time in another zone.
        at = timezone.localtime(at if timezone.is_aware(at) else timezone.make_aware(at))
    except (ValueError, OverflowError):
        raise MomentError(f"{text!r} is neither the number of a round nor a time such as 2026-03-31T18:00.") from None
    if at > timezone.now():
        raise MomentError(f"{text} lies in the future.")
    return Moment(at, f"{at:%Y-%m-%d %H:%M:%S}")
