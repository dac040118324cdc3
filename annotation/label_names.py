"""How names of labels are spelt: what counts as one name, and how a name out of a file reads. Pure text."""

# Endings of the singular: lymphocytes are many, a virus, an axis and a mass are one.
_SINGULAR = ("ss", "us", "is")


def same_name(name: str) -> str:
    """One text for all spellings of a name: "Smudge-cells", "smudge_cell" and "Smudge cell" are the same."""
    words = _words(name.casefold())
    return " ".join([*words[:-1], _one(words[-1])]) if words else ""


def readable(name: str) -> str:
    """A class as a file names it, as people write it: "segmented-neutrophils" is "Segmented neutrophil"."""
    words = _words(name)
    if not words:
        return ""
    text = " ".join([*words[:-1], _one(words[-1])])
    return text[0].upper() + text[1:]


def _words(name: str) -> list[str]:
    return "".join(c if c.isalnum() or c in "()+/.'" else " " for c in name).split()


def _one(word: str) -> str:
    lower = word.casefold()
    return word[:-1] if len(word) > 3 and lower.endswith("s") and not lower.endswith(_SINGULAR) else word
