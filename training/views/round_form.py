"""What the forms that launch rounds share: few fields at first sight, the rest behind "more", settings as lines."""

from typing import Any, ClassVar

from django import forms

from training.selection import ALL
from training.settings import SettingsError, parse_assignments

# What a field holds where nobody has touched it.
UNTOUCHED: tuple[Any, ...] = (None, "", "0", 0, [], ALL)


class RoundForm(forms.Form):
    """A form with the fields `other` (one key=value a line) and `again`."""

    ALWAYS: ClassVar[tuple[str, ...]]
    # Shown once there is something to override.
    unchanged = False

    def settings(self) -> dict[str, Any]:
        """The settings that differ from the defaults. Raises SettingsError for a line that is none."""
        raise NotImplementedError

    def check_settings(self) -> None:
        """Raises SettingsError where settings() make no sense."""
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        try:
            self.check_settings()
        except SettingsError as error:
            self.add_error("other", str(error))
        return cleaned

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
        return any(field.errors or field.value() not in UNTOUCHED for field in self.more)

    def written_settings(self) -> dict[str, Any]:
        """Those of the lines. Raises SettingsError."""
        lines = (line.strip() for line in self.cleaned_data.get("other", "").splitlines())
        return dict(parse_assignments([line for line in lines if line]))

    def offer(self, name: str, choices: list[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices
