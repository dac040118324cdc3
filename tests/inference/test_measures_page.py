"""The page of measures: what it compares, in which unit, whose cells; the table by patient; who may see it."""

import csv
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotation.cell_crops import cells_to_classify
from annotation.measure_table import BY_NAME
from annotation.models import Cell, Label, LabelGroup, Patient, SmearImage, Study
from inference.measure_plots import MOST_BOXES, MOST_POINTS, Group, boxes, histogram, scatter
from inference.measure_rows import MeasuredCells, cells_by_label, measured_cells
from inference.measures_page import MeasuresQuery, page_context
from inference.models import CellMeasureJob
from tests.inference.gallery import cell, say
from tests.inference.test_gallery_measures import say_measured

AREA, RATIO = BY_NAME["area"], BY_NAME["nc_ratio"]


@pytest.fixture
def cells(study: Study, make_image: Any) -> list[Cell]:
    """Two patients' cells, the last one picked for its kind."""
    one, two = (Patient.arrive(study, code) for code in ("P-1", "=P-2"))
    images = [
        make_image(study, seed=1, patient=one),
        make_image(study, seed=2, patient=two),
        make_image(study, seed=3, patient=one, sample="extra"),
    ]
    made = [cell(images[0]), cell(images[0]), cell(images[1]), cell(images[2])]
    for each, area in zip(made, (10, 20, 40, 100), strict=True):
        say_measured(each, area=area, nc_ratio=area / 10, solidity=0.5)
    for each, name in zip(made, ("Myeloblast", "Promyelocyte", "Promyelocyte", "Promyelocyte"), strict=True):
        say(each, name)
    return made


def toy(values: Any, names: tuple[str, ...] = ("area",)) -> MeasuredCells:
    table = np.asarray(values, dtype=float).reshape(-1, len(names))
    count = len(table)
    ids = np.arange(count * 16, dtype=np.uint64).astype(np.uint8).reshape(-1, 16)
    zero = np.zeros(count, dtype=np.int64)
    return MeasuredCells(names, True, ids, zero + 1, zero, zero > 0, table)


# --- plots ---


def test_boxes_stand_at_their_quartiles_in_the_order_of_the_groups():
    cells = toy([*range(101), np.nan])
    plot = boxes(cells, AREA, [Group("1", "All", "#123456", np.arange(102)), Group("2", "None", "#0", np.array([101]))])
    assert plot is not None and [box.name for box in plot.boxes] == ["All"]
    (box,) = plot.boxes
    assert box.text == "All: median 50.0, middle half 25.0 to 75.0, 101 cells"
    at = [box.low, box.first, box.median, box.third, box.high]
    assert np.diff(at) == pytest.approx(np.array([20, 25, 25, 20]) * (box.median - box.first) / 25, abs=0.2)
    ticks = {tick.text: tick.at for tick in plot.x_ticks}
    assert (ticks["40"] + ticks["60"]) / 2 == pytest.approx(box.median, abs=0.2)
    assert boxes(cells, AREA, []) is None


def test_groups_of_few_cells_have_no_room_among_very_many():
    groups = [Group(str(n), str(n), "#0", np.arange(n + 1)) for n in range(MOST_BOXES + 5)]
    plot = boxes(toy(range(100)), AREA, groups)
    assert plot is not None and len(plot.boxes) == MOST_BOXES and plot.left_out == 5
    assert plot.boxes[0].name == "5"


def test_a_histogram_counts_each_cell_once():
    plot = histogram(toy([1.0] * 30 + [2.0] * 10 + [np.nan]), AREA)
    assert plot is not None
    assert sorted(int(bar.text.split(": ")[1].split()[0]) for bar in plot.bars) == [10, 30]
    highest = min(plot.bars, key=lambda bar: bar.y)
    assert highest.height == pytest.approx(3 * max(plot.bars, key=lambda bar: bar.y).height, abs=0.3)
    assert histogram(toy([]), AREA) is None and histogram(toy([np.nan]), AREA) is None


def test_one_value_alone_is_drawn():
    assert boxes(toy([0.0]), AREA, [Group("1", "A", "#0", np.array([0]))]) is not None
    assert histogram(toy([7.0]), AREA) is not None


def test_a_scatter_shows_so_many_cells_at_most_in_the_colours_of_their_groups():
    count = MOST_POINTS + 50
    cells = toy(np.stack([np.arange(count), np.arange(count) * 2.0], axis=1), ("area", "nc_ratio"))
    plot = scatter(cells, AREA, RATIO, [Group("1", "Some", "#abcdef", np.arange(10))])
    assert plot is not None and (plot.shown, plot.cells) == (MOST_POINTS, count)
    assert [name for name, _ in plot.legend] == ["Some", "not among these"]
    assert {point.colour for point in plot.points[:10]} == {"#abcdef"} and plot.points[10].colour != "#abcdef"
    assert plot.points[5].text == "Some, Area 5.0 µm², Nucleus to cytoplasm 10.00"
    assert plot.points[9].x > plot.points[0].x and plot.points[9].y < plot.points[0].y
    assert scatter(toy([[1.0, np.nan]], ("area", "nc_ratio")), AREA, RATIO, []) is None


# --- what is fetched ---


@pytest.mark.django_db
def test_cells_come_with_their_patients_and_values(study: Study, cells: list[Cell]):
    found = measured_cells(study, ["area", "solidity"])
    by_area = {float(found.of("area")[n]): n for n in range(len(found))}
    assert sorted(by_area) == [10, 20, 40, 100] and set(found.of("solidity")) == {0.5}
    last = by_area[100.0]
    assert found.ids[last].tobytes() == cells[3].pk.bytes and found.images[last] == cells[3].image_id
    assert found.extra.sum() == 1 and found.extra[last]
    assert found.patients[by_area[40.0]] == cells[2].image.patient_id
    assert [row.tobytes() for row in found.ids] == sorted(each.pk.bytes for each in cells)


@pytest.mark.django_db
def test_lengths_in_another_unit_are_not_known_and_ratios_are(study: Study, cells: list[Cell]):
    SmearImage.objects.filter(pk=cells[0].image_id).update(um_per_pixel=0.5)
    found = measured_cells(study, ["area", "nc_ratio"])
    assert found.in_um and np.isnan(found.of("area")).all() and np.isfinite(found.of("nc_ratio")).all()


@pytest.mark.django_db
def test_an_empty_study_has_no_cells(study: Study, annotator: User):
    assert len(measured_cells(study, ["area"])) == 0
    context = page_context(study, MeasuresQuery(), annotator.pk)
    assert context["boxes"] is context["histogram"] is context["scatter"] is None and context["rows"] == []


@pytest.mark.django_db
def test_a_cell_that_two_people_name_differently_is_among_both(
    study: Study, cells: list[Cell], annotator: User, teammate: User
):
    say(cells[0], "Promyelocyte", annotator)
    say(cells[1], "Promyelocyte", teammate)
    group = LabelGroup.objects.get(labels__name="Promyelocyte", study=study)
    found = {
        label.name: len(own) for label, own in cells_by_label(measured_cells(study, ["area"]), group, annotator.pk)
    }
    assert found == {"Myeloblast": 1, "Promyelocyte": 4}


# --- the page ---


def table(client: Client, study: Study, **asked: Any) -> dict[str, dict[str, str]]:
    answer = client.get(reverse("measures-patients", args=[study.pk]), asked)
    assert answer.status_code == 200 and answer["Content-Type"].startswith("text/csv")
    return {row["patient"]: row for row in csv.DictReader(answer.content.decode().splitlines())}


@pytest.mark.django_db
def test_the_page_compares_labels_and_leads_to_their_cells(
    study: Study, cells: list[Cell], annotator: User, client_of: Any
):
    page = client_of(annotator).get(reverse("measures", args=[study.pk])).content.decode()
    blast = Label.objects.get(group__study=study, name="Myeloblast")
    assert f"/gallery/?sort=measure-down&amp;measure=area&amp;label={blast.pk}" in page
    assert "All 4 cells are measured." in page and "lengths are in pixels" in page and "Area (px²)" in page
    assert f"/images/{cells[2].image_id}/#cell-{cells[2].pk}" in page
    by_patient = client_of(annotator).get(
        reverse("measures", args=[study.pk]), {"by": "patient", "measure": "solidity"}
    )
    assert f"measure=solidity&amp;patient={cells[0].image.patient_id}" in by_patient.content.decode()


@pytest.mark.django_db
def test_what_is_picked_for_its_kind_says_nothing_of_a_patient(
    study: Study, cells: list[Cell], annotator: User, client_of: Any
):
    rows = page_context(study, MeasuresQuery(), annotator.pk)["rows"]
    assert [(patient.code, number, values[0]) for patient, number, values in rows] == [
        ("=P-2", 1, ("40.0", "40.0 to 40.0")),
        ("P-1", 2, ("15.0", "12.5 to 17.5")),
    ]
    found = table(client_of(annotator), study)
    # No spreadsheet takes a code for a formula.
    assert set(found) == {"P-1", "'=P-2"}
    assert (found["P-1"]["cells"], found["P-1"]["area_px2_median"], found["P-1"]["nc_ratio_first_quartile"]) == (
        "2", "15", "1.25",
    )  # fmt: skip
    assert found["P-1"]["volume_px3_median"] == ""


@pytest.mark.django_db
def test_one_label_and_one_patient_can_be_asked_for(study: Study, cells: list[Cell], annotator: User, client_of: Any):
    promyelocyte = Label.objects.get(group__study=study, name="Promyelocyte")
    client = client_of(annotator)
    assert table(client, study, label=promyelocyte.pk)["P-1"]["area_px2_median"] == "20"
    assert set(table(client, study, patient=cells[0].image.patient_id)) == {"P-1"}
    assert table(client, study, label=10**9) == {}
    # What is unknown in the address is as if it were not there.
    odd = {"measure": "price", "against": "'", "by": "x", "label": "a", "patient": "-1"}
    assert client.get(reverse("measures", args=[study.pk]), odd).status_code == 200


@pytest.mark.django_db
def test_the_number_of_queries_does_not_grow_with_the_cells(
    study: Study, cells: list[Cell], annotator: User, django_assert_max_num_queries: Any
):
    with django_assert_max_num_queries(15):
        page_context(study, MeasuresQuery(), annotator.pk)
    assert cells_to_classify(study).count() == 4


@pytest.mark.django_db
def test_measuring_is_asked_for_and_told_of(
    study: Study, cells: list[Cell], annotator: User, client_of: Any, no_broker: list[Any]
):
    client = client_of(annotator)
    address = reverse("measuring", args=[study.pk])
    assert client.post(address).status_code == 302
    job = CellMeasureJob.objects.get()
    assert job.requested_by == annotator
    assert "Measuring is queued" in client.get(address).content.decode()
    job.claim() and job.succeed()
    assert client.get(address, {"watching": 1})["HX-Refresh"] == "true"
    CellMeasureJob.objects.update(state="failed", reason="The disk is full.")
    assert "The disk is full." in client.get(reverse("measures", args=[study.pk])).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["measures", "measuring", "measures-patients"])
def test_who_may_see_them(study: Study, annotator: User, outsider: User, client_of: Any, name: str):
    address = reverse(name, args=[study.pk])
    assert client_of(annotator).get(address).status_code == 200
    assert client_of(outsider).get(address).status_code == 404
    assert Client().get(address).status_code == 302


@pytest.mark.django_db
def test_who_may_ask_for_measuring(study: Study, outsider: User, client_of: Any):
    address = reverse("measuring", args=[study.pk])
    assert client_of(outsider).post(address).status_code == 404
    assert Client().post(address).status_code == 302 and not CellMeasureJob.objects.exists()
