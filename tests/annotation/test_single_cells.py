"""Pictures of single cells become images with one cell, whose file's name tells nobody but admins what it is."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from PIL import Image, ImageDraw

from annotation.label_names import readable, same_name
from annotation.models import Cell, CellLabel, Label, Membership, Patient, Role, SmearImage, Study
from annotation.scheme import study_named
from annotation.worklist_query import SORTS

pytestmark = pytest.mark.django_db
State = SmearImage.State


def picture(path: Path, seed: int = 0, cell: bool = True) -> Path:
    """A purple disc in the middle of a pale picture; the seed shifts it a little. Without a cell, nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (120, 110), (246, 236, 224))
    draw = ImageDraw.Draw(image)
    draw.point((seed % 120, seed // 120), (10, 10, 10))
    if cell:
        draw.ellipse((35 + seed % 5, 30, 85, 80), fill=(200, 190, 225))
        draw.ellipse((42 + seed % 5, 38, 78, 72), fill=(96, 48, 140))
        draw.ellipse((0, 0, 18, 16), fill=(96, 48, 140))
    image.save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four pictures of two patients."""
    for seed, name in enumerate(["p1/blast_0.png", "p1/smudge-cells_1.png", "p2/blast_2.png", "p2/unknown_3.png"]):
        picture(tmp_path / "cells" / name, seed)
    return tmp_path / "cells"


ROWS = [
    "p1/blast_0.png,p1,blast,random",
    "p1/smudge-cells_1.png,p1,smudge-cells,extra",
    "p2/blast_2.png,p2,Blast,random",
    "p2/unknown_3.png,p2,,random",
]


def table(folder: Path, *rows: str, header: str = "file,patient,cell_class,sample") -> Path:
    path = folder.parent / "cells.csv"
    path.write_text("\n".join([header, *(rows or ROWS)]) + "\n")
    return path


def run(folder: Path, cells: Path, *options: Any) -> dict[str, Any]:
    out = io.StringIO()
    arguments = ["--study", "S", "--cells", str(cells), *map(str, options)]
    call_command("import_images", str(folder), *arguments, stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def image(name: str) -> SmearImage:
    return SmearImage.objects.get(names__name=name)


def labels(name: str) -> list[str]:
    return list(CellLabel.objects.filter(cell__image__names__name=name).values_list("label__name", flat=True))


def test_each_picture_is_an_image_with_one_cell(folder: Path):
    patients = folder.parent / "patients.csv"
    patients.write_text("patient,diagnosis,age,sex\np1,APL,29,Female\np2,non-APL AML,31,Male\n")
    made = run(folder, table(folder), "--patients", patients)
    assert (made["images"], made["cells"], made["labelled"], made["skipped"]) == (4, 4, 3, [])
    assert made["borders_guessed"] == made["contradictions"] == 0
    blast = image("p1/blast_0.png")
    assert (blast.single_cell, blast.sample, blast.state) == (True, "random", State.ANNOTATED)
    assert blast.patient and (blast.patient.code, blast.patient.diagnosis) == ("p1", "apl")
    cell = blast.cells.get()
    assert (cell.origin, cell.status) == (Cell.Origin.IMPORTED, Cell.Status.CONFIRMED)
    # Around the disc in the middle, not the one in the corner.
    assert cell.x0 > 25 and cell.y0 > 20 and 80 < cell.x1 < 95 and 70 < cell.y1 < 90
    row = CellLabel.objects.get(cell=cell)
    assert (row.label.name, row.label.group.name, row.annotator) == ("Blast", "Cell type", None)
    assert labels("p2/blast_2.png") == ["Blast"] and labels("p2/unknown_3.png") == []
    assert labels("p1/smudge-cells_1.png") == ["Smudge cell"]


def test_extra_cells_are_never_representative(folder: Path):
    run(folder, table(folder))
    names = {image.file_name for image in SmearImage.objects.representative()}
    assert names == {"p1/blast_0.png", "p2/blast_2.png", "p2/unknown_3.png"}


def test_a_second_run_adds_nothing(folder: Path):
    cells = table(folder)
    run(folder, cells)
    before = [list(model.objects.order_by("pk").values()) for model in (SmearImage, Cell, CellLabel, Patient)]
    again = run(folder, cells)
    assert (again["images"], again["cells"], again["labelled"], again["duplicates"]) == (0, 0, 0, 4)
    after = [list(model.objects.order_by("pk").values()) for model in (SmearImage, Cell, CellLabel, Patient)]
    assert after == before


def test_the_schemes_labels_are_met_however_they_are_spelt(folder: Path):
    rows = [row.replace("smudge-cells,", "KSC,") for row in ROWS]
    run(folder, table(folder, *rows), "--scheme", "marrow")
    study = Study.objects.get(name="S")
    assert labels("p1/smudge-cells_1.png") == ["Smudge cell"]
    assert study.label_groups.get(name="Cell type").labels.count() == 21


def test_a_class_that_the_scheme_lacks_is_added_as_a_shipped_scheme_has_it(folder: Path):
    run(folder, table(folder, *ROWS, "p2/unknown_3.png,p2,thrombocyte-aggregation,random"))
    added = {label.name: label for label in Label.objects.filter(group__study__name="S")}
    assert not added["Smudge cell"].counted and "Crushed" in added["Smudge cell"].description
    assert added["Blast"].counted and added["Thrombocyte aggregation"].counted
    assert added["Thrombocyte aggregation"].description == ""


def test_without_a_border_in_sight_a_circle_of_the_typical_size_is_taken(folder: Path):
    picture(folder / "p2/unknown_3.png", 3, cell=False)
    made = run(folder, table(folder))
    assert (made["cells"], made["borders_guessed"]) == (4, 1)
    circle = image("p2/unknown_3.png").cells.get()
    assert circle.border["kind"] == "circle" and (circle.border["cx"], circle.border["cy"]) == (60, 55)
    others = Cell.objects.exclude(pk=circle.pk)
    assert min(cell.x1 - cell.x0 for cell in others) - 5 < 2 * circle.border["r"] < 70


def test_the_same_pixels_with_two_labels_get_none_and_are_reported(folder: Path):
    (folder / "p2/lymphocyte_9.png").write_bytes((folder / "p1/blast_0.png").read_bytes())
    cells = table(folder, *ROWS, "p2/lymphocyte_9.png,p1,lymphocyte,random")
    for made in (run(folder, cells), run(folder, cells)):
        assert made["contradictions"] == 1
        assert {entry["name"] for entry in made["skipped"]} == {"p1/blast_0.png", "p2/lymphocyte_9.png"}
        assert all("blast and as lymphocyte" in entry["reason"] for entry in made["skipped"])
        assert labels("p1/blast_0.png") == []
        assert SmearImage.objects.count() == 4


def test_the_same_pixels_with_one_label_are_one_cell(folder: Path):
    (folder / "p2/again.png").write_bytes((folder / "p1/blast_0.png").read_bytes())
    made = run(folder, table(folder, *ROWS, "p2/again.png,p1,BLAST,random"))
    assert (made["images"], made["duplicates"], made["contradictions"], made["skipped"]) == (4, 1, 0, [])
    assert labels("p1/blast_0.png") == ["Blast"]


def test_a_later_table_that_says_otherwise_takes_the_label_back_for_good(folder: Path):
    run(folder, table(folder))
    other = table(folder, "p1/blast_0.png,p1,monocyte,random")
    assert run(folder, other)["contradictions"] == 1
    assert labels("p1/blast_0.png") == []
    for cells in (table(folder), table(folder, "p1/blast_0.png,p1,monocyte,random")):
        assert run(folder, cells)["contradictions"] == 1
        assert labels("p1/blast_0.png") == []


def test_classes_may_come_later(folder: Path):
    run(folder, table(folder, *(row.replace(",blast,", ",,") for row in ROWS)))
    assert labels("p1/blast_0.png") == []
    later = run(folder, table(folder))
    assert (later["cells"], later["labelled"]) == (0, 1) and labels("p1/blast_0.png") == ["Blast"]


def test_rows_that_cannot_be_taken_are_reported_one_by_one(folder: Path):
    (folder / "p1/notes.png").write_text("no image")
    rows = [
        *ROWS,
        "p1/gone.png,p1,blast,random",
        "../cells.csv,p1,blast,random",
        "p1/blast_0.png,p1,blast",
        ",p1,blast,random",
        "p1/blast_0.png,p1,blast,some",
        "p1/notes.png,p1,blast,random",
    ]
    made = run(folder, table(folder, *rows))
    assert made["images"] == 4
    reasons = [(entry["name"], entry["reason"]) for entry in made["skipped"]]
    assert [name for name, _ in reasons] == [
        "../cells.csv",
        "p1/blast_0.png",
        "row 9",
        "p1/blast_0.png",
        "p1/gone.png",
        "p1/notes.png",
    ]
    assert "stay in it" in reasons[0][1] and "3 values for 4 columns" in reasons[1][1]
    assert "'some'" in reasons[3][1] and "no such file" in reasons[4][1] and "Row 11" in reasons[5][1]


def test_columns_beyond_file_may_be_absent_and_unknown_ones_are_said(folder: Path, capsys: Any):
    cells = table(folder, "p1/blast_0.png,7", header="file,looks")
    err = io.StringIO()
    call_command("import_images", str(folder), "--study", "S", "--cells", str(cells), stdout=io.StringIO(), stderr=err)
    assert "not known and not read: looks" in err.getvalue()
    only = SmearImage.objects.get()
    assert (only.single_cell, only.sample, only.patient) == (True, "", None) and only.cells.count() == 1


@pytest.mark.parametrize(
    ("header", "said"), [("patient,cell_class", "no column named file"), ("file,sample,sample", "two columns named")]
)
def test_a_table_that_cannot_be_used_leaves_no_study_behind(folder: Path, header: str, said: str):
    with pytest.raises(CommandError, match=said):
        run(folder, table(folder, "a,b,c", header=header))
    assert not Study.objects.exists()


def test_what_people_have_made_stays(folder: Path, make_image: Any):
    run(folder, table(folder))
    cell = image("p1/blast_0.png").cells.get()
    Cell.objects.filter(pk=cell.pk).update(status=Cell.Status.DELETED)
    made = run(folder, table(folder))
    assert made["cells"] == 0 and image("p1/blast_0.png").cells.get().status == Cell.Status.DELETED


def test_a_field_that_people_have_worked_on_stays_one(folder: Path):
    call_command("import_images", str(folder), "--study", "S", stdout=io.StringIO(), stderr=io.StringIO())
    SmearImage.objects.filter(pk=image("p1/blast_0.png").pk).update(state=State.IN_PROGRESS)
    made = run(folder, table(folder))
    assert made["cells"] == 3 and "stays as it is" in made["skipped"][0]["reason"]
    assert not image("p1/blast_0.png").single_cell and image("p2/blast_2.png").single_cell


def test_limit_takes_the_first_rows(folder: Path):
    run(folder, table(folder), "--limit", 2)
    assert {image.file_name for image in SmearImage.objects.all()} == {"p1/blast_0.png", "p1/smudge-cells_1.png"}


# --- names that may say the class ---


@pytest.fixture
def imported(folder: Path) -> Study:
    run(folder, table(folder))
    return Study.objects.get(name="S")


def member(study: Study, name: str, role: Role) -> User:
    user = User.objects.create_user(name, password="smear-and-stain-1")
    Membership.objects.create(study=study, user=user, role=role)
    return user


SECRET = ("blast_", "smudge-cells", "unknown_")


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.REVIEWER])
def test_nobody_but_admins_reads_the_names_of_files(imported: Study, client_of: Any, role: Role):
    client = client_of(member(imported, "anna", role))
    one = imported.images.first()
    addresses = [
        f"/studies/{imported.pk}/",
        f"/images/{one.pk}/",
        f"/images/{one.pk}/past/",
        f"/api/v1/images/{one.pk}/",
        f"/api/v1/studies/{imported.pk}/images/",
        f"/studies/{imported.pk}/effort/",
        f"/studies/{imported.pk}/rounds/",
        f"/studies/{imported.pk}/effort/table.csv",
    ]
    for address in addresses:
        response = client.get(address)
        # The table of effort is for reviewers.
        assert response.status_code == 200 or (role == Role.ANNOTATOR and "table.csv" in address), address
        content = b"".join(response) if response.streaming else response.content
        text = content.decode().casefold()
        assert not [secret for secret in SECRET if secret in text], address
    assert one.name in client.get(f"/api/v1/images/{one.pk}/").json()["name"]


def test_admins_read_them(imported: Study, client_of: Any):
    client = client_of(member(imported, "ada", Role.ADMIN))
    blast = image("p1/blast_0.png")
    assert client.get(f"/api/v1/images/{blast.pk}/").json()["name"] == "p1/blast_0.png"
    for address in (f"/studies/{imported.pk}/", f"/images/{blast.pk}/"):
        assert "p1/blast_0.png" in client.get(address).content.decode()


def test_an_upload_of_the_same_pixels_says_no_name(imported: Study, client_of: Any, folder: Path):
    client = client_of(member(imported, "anna", Role.ANNOTATOR))
    with (folder / "p1/blast_0.png").open("rb") as file:
        answer = client.post(f"/api/v1/studies/{imported.pk}/images/", {"file": file}).json()
    assert answer["status"] == "duplicate" and answer["duplicate_of"] == image("p1/blast_0.png").name


def test_nothing_is_found_or_sorted_by_them(imported: Study, client_of: Any):
    client = client_of(member(imported, "anna", Role.ANNOTATOR))
    assert "No file name or patient" in client.get(f"/studies/{imported.pk}/?q=blast").content.decode()
    address = f"/api/v1/studies/{imported.pk}/images/?sort="
    order = {sort: [row["id"] for row in client.get(address + sort).json()["results"]] for sort in SORTS}
    # In the order of their arrival, which goes by a hash: files are named p1/blast, p1/smudge, p2/blast, p2/unknown.
    assert order["name"] == order["arrival"]
    assert [image.file_name for image in imported.images.order_by("pk")] != sorted(row.split(",")[0] for row in ROWS)


def test_an_export_knows_them(imported: Study, tmp_path: Path):
    target = tmp_path / "out.csv"
    call_command("export", str(target), "--study", "S", "--format", "csv", stdout=io.StringIO(), stderr=io.StringIO())
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert {row["image"]: row["label: Cell type"] for row in rows}["p1/blast_0.png"] == "Blast"


@pytest.mark.parametrize(
    ("spelt", "read", "same"),
    [
        ("segmented-neutrophils", "Segmented neutrophil", "Segmented neutrophil"),
        ("smudge_cells", "Smudge cell", "SMUDGE CELL"),
        ("promonocyte", "Promonocyte", "Promonocytes"),
        ("thrombocyte-aggregation", "Thrombocyte aggregation", "thrombocyte aggregation"),
        ("basis", "Basis", "BASIS"),
    ],
)
def test_classes_read_as_people_write_them(spelt: str, read: str, same: str):
    assert readable(spelt) == read and same_name(spelt) == same_name(same) == same_name(read)
    assert same_name(spelt) != same_name("blast")


def test_real_pictures_find_their_cell(shared_data: Path):
    root = shared_data / "apl-patients"
    if not root.is_dir():
        pytest.skip("The real pictures of single cells are absent: no folder apl-patients in the shared data.")
    made = run(root / "cells", root / "cells.csv", "--patients", root / "patients.csv", "--limit", 8)
    assert (made["images"], made["cells"], made["labelled"], made["skipped"]) == (8, 8, 8, [])
    for cell in Cell.objects.select_related("image"):
        assert cell.x0 < cell.image.width / 2 < cell.x1 and cell.y0 < cell.image.height / 2 < cell.y1


def test_study_named_begins_with_the_scheme_asked_for(db: Any):
    assert study_named("A", scheme="marrow").label_groups.get(name="Cell type").labels.count() == 21
    assert study_named("A", scheme="paper").label_groups.get(name="Cell type").labels.count() == 21
