"""What the forms that launch rounds share: few fields at first sight, the rest behind "more", settings as lines."""

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.forms.forms import DeclarativeFieldsMetaclass

from training.search_space import MOST_TRIALS
from training.selection import ALL
from training.settings import SettingsError, parse_assignments

# What a field holds where nobody has touched it.
UNTOUCHED: tuple[Any, ...] = (None, "", "0", 0, [], ALL)


def trials_field() -> forms.IntegerField:
    """Of a round that is cross-validated."""
    return forms.IntegerField(
        label="Search trials",
        min_value=0,
        max_value=MOST_TRIALS,
        initial=0,
        required=False,
        help_text="So many trials look for better settings first, for each fold among the patients who teach it and "
        "once among all. 0: none.",
    )


class _AbstractForm(DeclarativeFieldsMetaclass, ABCMeta):
    """A form that cannot be made before its subclass says what is left to it."""


class RoundForm(forms.Form, metaclass=_AbstractForm):
    """A form with the fields `other` (one key=value a line) and `again`."""

    ALWAYS: ClassVar[tuple[str, ...]]
    # Shown once there is something to override.
    unchanged = False

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The settings that differ from the defaults. Raises SettingsError for a line that is none."""

    @abstractmethod
    def check_settings(self) -> None:
        """Raises SettingsError where settings() make no sense."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        try:
            self.check_settings()
        except SettingsError as error:
            self.add_error("other", str(error))
        return cleaned

    @staticmethod
    def begun_with(settings: Mapping[str, Any] | None, own: Sequence[str]) -> dict[str, Any]:
        """What fields begin with: those that have a field of their `own` there, the others as lines."""
        given = dict(settings or {})
        initial = {name: given.pop(name) for name in own if name in given}
        lines = "\n".join(f"{name}={value}" for name, value in given.items())
        return initial | {"other": lines}

    @property
    def always(self) -> list[forms.BoundField]:
        return [self[name] for name in self.ALWAYS]

    @property
    def more(self) -> list[forms.BoundField]:
        """The fields that most rounds leave alone; those that offer nothing to choose are left out."""
        rest = [field for field in self if field.name not in (*self.ALWAYS, "again")]
        return [field for field in rest if getattr(field.field, "choices", True)]

    @property
    def more_is_used(self) -> bool:
        return any(field.errors or field.value() not in (*UNTOUCHED, field.field.initial) for field in self.more)

    def written_settings(self) -> dict[str, Any]:
        """Those of the lines. Raises SettingsError."""
        lines = (line.strip() for line in self.cleaned_data.get("other", "").splitlines())
        return dict(parse_assignments([line for line in lines if line]))

    def offer(self, name: str, choices: list[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices
