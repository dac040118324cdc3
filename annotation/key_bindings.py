"""The keys that somebody has chosen for the editor: what may be kept of them."""

from typing import Any

from annotation.models import KeyBindings

MAX_COMMANDS = 200
MAX_KEYS = 4
MAX_LENGTH = 40


class KeysRefused(ValueError):
    """Keys that cannot be kept; the message says why in one sentence."""


def checked(keys: Any) -> dict[str, list[str]]:
    """The keys by command, as they may be kept; a command with an empty list has no key. Raises KeysRefused.

    Whether two commands share a key is for the editor to say: only it knows the keys that are not changed.
    """
    if not isinstance(keys, dict):
        raise KeysRefused("Keys are an object: a list of keys for each command.")
    if len(keys) > MAX_COMMANDS:
        raise KeysRefused(f"At most {MAX_COMMANDS} commands can have keys of their own.")
    for command, chosen in keys.items():
        if not _is_word(command):
            raise KeysRefused(f"The name of a command has 1 to {MAX_LENGTH} characters.")
        if not isinstance(chosen, list) or len(chosen) > MAX_KEYS:
            raise KeysRefused(f"The command {command} can have a list of at most {MAX_KEYS} keys.")
        if not all(_is_word(key) for key in chosen):
            raise KeysRefused(f"A key of the command {command} has 1 to {MAX_LENGTH} characters.")
    return {command: list(dict.fromkeys(chosen)) for command, chosen in keys.items()}


def _is_word(text: Any) -> bool:
    # What cannot be printed (NUL, half of a surrogate pair) the database would not store either.
    return isinstance(text, str) and 1 <= len(text) <= MAX_LENGTH and text.isprintable()


def keys_of(user: Any) -> dict[str, list[str]]:
    """What somebody has changed: keys by command. One query."""
    return KeyBindings.objects.filter(user=user).values_list("keys", flat=True).first() or {}


def keep_keys(user: Any, keys: Any) -> dict[str, list[str]]:
    """Put these keys in the place of all that somebody had changed before, and return them. Raises KeysRefused."""
    kept = checked(keys)
    KeyBindings.objects.update_or_create(user=user, defaults={"keys": kept})
    return kept
