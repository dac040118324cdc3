import pytest

from annotation.label_roles import CellRole, guessed_role
from annotation.models import Label


@pytest.mark.parametrize(
    ("name", "aliases", "role"),
    [
        ("Myeloblast", (), CellRole.MYELOBLAST),
        ("Blasts", ("BLA",), CellRole.MYELOBLAST),
        ("Unreife", ("blast",), CellRole.MYELOBLAST),
        ("promyelocytes", (), CellRole.PROMYELOCYTE),
        ("Auer-rods", (), CellRole.AUER_ROD),
        ("Faggot cell", ("FGC",), CellRole.AUER_ROD),
        ("segmented-neutrophils", (), CellRole.MATURE),
        ("Lymphocyte", (), CellRole.MATURE),
        ("Erythroblast", (), CellRole.OTHER),
        ("Monoblast", (), CellRole.OTHER),
        ("Smudge-cells", (), CellRole.NO_CELL),
        ("Giant thrombocyte", (), CellRole.NO_CELL),
    ],
)
def test_guessed_by_name(name: str, aliases: tuple[str, ...], role: CellRole) -> None:
    assert guessed_role(name, aliases) == role


def test_what_people_say_goes_before_the_name() -> None:
    assert Label(name="Blast", role=CellRole.OTHER).stands_for == CellRole.OTHER
    assert Label(name="Blast").stands_for == CellRole.MYELOBLAST
