"""The diagnoses that a study knows: their keys, their names, and how people write them. Free of Django."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

# What a patient has of whom nobody said a diagnosis: no diagnosis, and in no study's list.
UNKNOWN = "unknown"
# Stands between the names of a decision, so in none of them.
VERSUS = " vs "
LONGEST = 40
_SAID_BY_NOBODY = frozenset({"", UNKNOWN, "na"})
_KEY = re.compile(r"[a-z0-9][a-z0-9_]*")


class DiagnosesError(ValueError):
    """Diagnoses that a study cannot have, or does not; the message says why in a sentence."""


@dataclass(frozen=True)
class Diagnosis:
    """key: as rows, decisions and files keep it, for good. name: as it stands within a sentence. spellings: what else
    tables say for it."""

    key: str
    name: str
    spellings: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name as it stands alone."""
        return self.name[:1].upper() + self.name[1:]

    @property
    def read_as(self) -> set[str]:
        return {_folded(text) for text in (self.key, self.name, *self.spellings)}


@dataclass(frozen=True)
class Diagnoses:
    """Those of a study, in its order. Raises DiagnosesError where one text would be read as two of them."""

    rows: tuple[Diagnosis, ...]

    def __post_init__(self) -> None:
        owner: dict[str, Diagnosis] = {}
        for row in self.rows:
            _check(row)
            for text in row.read_as:
                if owner.setdefault(text, row) is not row:
                    raise DiagnosesError(f"{row.title} would be read as {owner[text].name}: {text!r} stands for both.")

    @classmethod
    def of(cls, content: Iterable[Mapping[str, Any]]) -> "Diagnoses":
        """Of what as_json() gave; the same object for the same content, as lists of patients ask for each."""
        return _made(tuple((each["key"], each["name"], tuple(each["spellings"])) for each in content))

    def as_json(self) -> list[dict[str, Any]]:
        return [{"key": row.key, "name": row.name, "spellings": list(row.spellings)} for row in self.rows]

    def __iter__(self) -> Iterator[Diagnosis]:
        return iter(self.rows)

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: str) -> Diagnosis:
        """Raises DiagnosesError for a key that the study does not have."""
        if key not in self._by_key:
            raise DiagnosesError(f"The study has no diagnosis {key!r}.")
        return self._by_key[key]

    @cached_property
    def _by_key(self) -> dict[str, Diagnosis]:
        return {row.key: row for row in self.rows}

    @cached_property
    def _by_text(self) -> dict[str, str]:
        return {text: row.key for row in self.rows for text in row.read_as}

    @property
    def options(self) -> list[tuple[str, str]]:
        """(key, name as it stands alone) of all that a patient's diagnosis can be."""
        return [*((row.key, row.title) for row in self.rows), (UNKNOWN, "Unknown")]

    @property
    def words(self) -> str:
        return ", ".join(row.name for row in self.rows)

    def title(self, key: str) -> str:
        """As it stands alone; a key that is none of these as it is."""
        return dict(self.options).get(key, key)

    def find(self, text: str) -> str | None:
        """The key of a diagnosis by its key, its name or a spelling, whatever stands between the letters; None for
        what is none."""
        folded = _folded(text)
        return UNKNOWN if folded in _SAID_BY_NOBODY else self._by_text.get(folded)

    def read(self, text: str) -> str:
        """As find(). Raises DiagnosesError naming what is accepted, and where others are added."""
        found = self.find(text)
        if found is None:
            raise DiagnosesError(
                f"Diagnosis {text!r} is not one of {self.words}, unknown: admins add diagnoses and spellings on the "
                "study's page of diagnoses."
            )
        return found

    def meant(self, key: str, name: str) -> str:
        """The key here of a diagnosis of another study: that of the same key, else the one that its name is read as; as
        it is where this study has none."""
        return key if key in self else self.find(name) or key

    def added(self, name: str, key: str = "", spellings: Sequence[str] = ()) -> "Diagnoses":
        """With one more; without `key` it gets one made of the name. Raises DiagnosesError."""
        name = _tidied(name)
        made = key.strip() or key_of(name)
        if name and not made:
            raise DiagnosesError(f"{name} gives no key: give one, of a to z, 0 to 9 and underscores.")
        if made in self:
            raise DiagnosesError(f"The study has the diagnosis {made} already.")
        return Diagnoses((*self.rows, Diagnosis(made, name, _spelled(spellings))))

    def changed(self, key: str, name: str, spellings: Sequence[str]) -> "Diagnoses":
        """With other words for one. A name that goes stays among the spellings, so that tables and bundles from before
        are still read. Raises DiagnosesError."""
        old, name = self[key], _tidied(name)
        kept = spellings if name == old.name else (*spellings, old.name)
        new = replace(old, name=name, spellings=_spelled(each for each in kept if _folded(each) != _folded(name)))
        return Diagnoses(tuple(new if row.key == key else row for row in self.rows))

    def without(self, key: str) -> "Diagnoses":
        """Raises DiagnosesError for one that is not there."""
        gone = self[key]
        return Diagnoses(tuple(row for row in self.rows if row is not gone))


@lru_cache(maxsize=256)
def _made(rows: tuple[tuple[str, str, tuple[str, ...]], ...]) -> Diagnoses:
    return Diagnoses(tuple(Diagnosis(*row) for row in rows))


def key_of(name: str) -> str:
    """A key made of a name: "non-APL AML" gives "non_apl_aml"; "" where no letter or digit of it can stand in one."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain)[:LONGEST].strip("_")


def _check(row: Diagnosis) -> None:
    if not row.name:
        raise DiagnosesError("A diagnosis needs a name.")
    if len(row.name) > LONGEST or len(row.key) > LONGEST:
        raise DiagnosesError(f"A diagnosis has a name and a key of at most {LONGEST} letters, not {row.name!r}.")
    # Names stand in the columns of tables and, by strokes and commas, in decisions.
    if not row.name[0].isalnum() or VERSUS in f" {row.name} " or any(each in row.name for each in "/,;\t"):
        raise DiagnosesError(
            f"The name of a diagnosis begins with a letter and holds no stroke, comma or vs: {row.name!r}."
        )
    if not _KEY.fullmatch(row.key):
        raise DiagnosesError(f"A key is made of a to z, 0 to 9 and underscores, not {row.key!r}.")
    if row.read_as & _SAID_BY_NOBODY:
        raise DiagnosesError(f"{row.title} would be read as unknown.")


def _folded(text: str) -> str:
    return "".join(each for each in text.casefold() if each.isalnum())


def _tidied(text: str) -> str:
    return " ".join(text.split())


def _spelled(texts: Iterable[str]) -> tuple[str, ...]:
    """Once each, without those that say nothing."""
    by_text = {_folded(text): _tidied(text) for text in texts}
    return tuple(text for folded, text in by_text.items() if folded)


# What every study begins with.
USUAL = Diagnoses(
    (
        Diagnosis("apl", "APL", ("AML M3", "M3")),
        Diagnosis("non_apl_aml", "non-APL AML", ("AML", "other AML", "non-APL")),
        Diagnosis("healthy", "healthy donor", ("donor", "control", "normal")),
    )
)


def usual_rows() -> list[dict[str, Any]]:
    return USUAL.as_json()
