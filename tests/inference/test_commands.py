"""`propose`, `evaluate` and `simulate_loop` from the command line, on fields of discs with a VIA truth."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from PIL import Image, ImageDraw

from annotation.models import Cell, SmearImage
from annotation.scheme import study_named
from tests.training.snapshots import disc_field
from training.models import Round

pytestmark = pytest.mark.django_db

TINY = ["--set", "size=160", "--set", "epochs=1", "--set", "pyramid=32", "--set", "threads=1"]


def run(*arguments: str) -> tuple[list[dict[str, Any]], str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(*arguments, stdout=out, stderr=err)
    return [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue()


@pytest.fixture
def fields(tmp_path: Path) -> tuple[Path, Path]:
    """Six fields of discs and their truth: one region of the third is of a class to ignore."""
    images = tmp_path / "fields"
    images.mkdir()
    entries = {}
    for seed in range(6):
        image, discs = disc_field(seed, width=320, height=256, cells=4)
        name = f"field-{seed}.png"
        image.save(images / name)
        regions = [
            {
                "shape_attributes": {"name": "rect", "x": x - r, "y": y - r, "width": 2 * r, "height": 2 * r},
                "region_attributes": {"kind": "edge" if seed == 2 and i == 0 else "cell"},
            }
            for i, (x, y, r) in enumerate(discs)
        ]
        entries[f"{name}-1"] = {"filename": name, "size": -1, "regions": regions, "file_attributes": {}}
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps(entries))
    return images, truth


def how(truth: Path) -> list[str]:
    options = ["--truth", str(truth), "--format", "via", "--class-attribute", "kind"]
    return [*options, "--classes", "cell", "--ignore", "edge"]


def test_first_proposals_are_made_and_measured(fields: tuple[Path, Path]):
    images, truth = fields
    run("import_images", str(images), "--study", "discs")
    (made,), _ = run("propose", "--study", "discs")
    assert made["images"] == 6 and made["bundle"] == "watershed/1"
    assert made["proposals"] == Cell.objects.count() > 0
    assert made["seconds_per_image"] > 0
    (found,), _ = run("evaluate", "--study", "discs", *how(truth))
    assert list(found) == ["images", "map", "map_50", "map_75", "mar", "precision", "recall"]
    assert found["images"] == 6
    # Dark discs on a pale field: what the method is made for.
    assert found["recall"] > 0.8 and found["precision"] > 0.8


def test_masks_are_a_truth_that_says_how_well_edges_are_followed(fields: tuple[Path, Path], tmp_path: Path):
    images, _ = fields
    masks = tmp_path / "masks"
    masks.mkdir()
    for seed in range(6):
        _, discs = disc_field(seed, width=320, height=256, cells=4)
        mask = Image.new("L", (320, 256))
        for x, y, r in discs:
            ImageDraw.Draw(mask).ellipse((x - r, y - r, x + r, y + r), fill=128)
        mask.save(masks / f"field-{seed}.png")
    run("import_images", str(images), "--study", "discs", "--annotations", str(masks), "--format", "mask")
    assert Cell.objects.filter(border__kind="polygon").count() == 24
    run("propose", "--study", "discs", "--images", "all")
    (judged,), _ = run("evaluate", "--study", "discs", "--truth", str(masks), "--format", "mask")
    assert 0 < judged["mean_iou"] <= 1 and 0 < judged["median_iou"] <= 1
    assert judged["images"] == 6


def test_only_images_that_nobody_annotated_receive_proposals_unless_all_are_asked_for(fields: tuple[Path, Path]):
    images, _ = fields
    run("import_images", str(images), "--study", "discs")
    done = SmearImage.objects.first()
    assert done is not None
    SmearImage.objects.filter(pk=done.pk).update(state="annotated")
    assert run("propose", "--study", "discs")[0][0]["images"] == 5
    assert not done.cells.exists()
    assert run("propose", "--study", "discs", "--images", "all")[0][0]["images"] == 6


def test_what_cannot_be_done_is_one_sentence(fields: tuple[Path, Path], tmp_path: Path):
    images, truth = fields
    with pytest.raises(CommandError, match="has no bundle 'abc'"):
        run("propose", "--study", "discs", "--bundle", "abc")
    with pytest.raises(CommandError, match="No image of the truth is in the study"):
        run("evaluate", "--study", "empty", *how(truth))
    run("import_images", str(images), "--study", "discs")
    with pytest.raises(CommandError, match="has been proposed on"):
        run("evaluate", "--study", "discs", *how(truth))
    with pytest.raises(CommandError, match="3 rounds of 30 images need 90"):
        run("simulate_loop", "--study", "discs", *how(truth))
    with pytest.raises(CommandError, match="2 rounds of 2 images, with 3 to judge, need 7 images"):
        run("simulate_loop", "--study", "discs", *how(truth), *ROUNDS, "--judge-images", "3")
    with pytest.raises(CommandError, match="cannot be negative"):
        run("simulate_loop", "--study", "discs", *how(truth), *ROUNDS, "--judge-images", "-1")
    with pytest.raises(CommandError, match="no setting"):
        run("simulate_loop", "--study", "discs", *how(truth), *ROUNDS, "--set", "speed=11")


ROUNDS = ["--rounds", "2", "--images-per-round", "2"]


@pytest.mark.slow
def test_the_loop_corrects_trains_and_proposes_again(fields: tuple[Path, Path]):
    images, truth = fields
    run("import_images", str(images), "--study", "discs")
    lines, _ = run("simulate_loop", "--study", "discs", *how(truth), *ROUNDS, *TINY, "--seed", "1")
    assert [line["round"] for line in lines] == [1, 2]
    keys = ["round", "images", "cells", "accepted", "moved", "deleted", "added", "corrections_per_cell", "map_50"]
    assert all(list(line)[: len(keys)] == keys for line in lines)
    study = study_named("discs")
    assert [line["images"] for line in lines] == [2, 2]
    assert study.images.filter(state="annotated").count() == 4
    assert study.images.unannotated().count() == 2
    # The figures are those of the records, and each true cell is accounted for once.
    corrected = Cell.objects.filter(image__study=study, ignored=False).confirmed().with_correction()
    kinds = [cell.correction for cell in corrected]
    for name in ("accepted", "moved", "added"):
        assert kinds.count(name) == sum(line[name] for line in lines)
    assert len(kinds) == sum(line["cells"] for line in lines)
    rounds = list(Round.objects.order_by("number"))
    assert [round_.state for round_ in rounds] == ["succeeded", "succeeded"]
    assert rounds[1].parent == rounds[0].bundle
    assert [round_.counts["images"] for round_ in rounds] == [2, 4]


@pytest.mark.slow
def test_an_ordered_loop_goes_on_from_another_one_before_the_same_judges(fields: tuple[Path, Path]):
    images, truth = fields
    run("import_images", str(images), "--study", "discs")
    play = ["simulate_loop", "--study", "discs", *how(truth), "--judge-images", "2", *TINY, "--seed", "1"]
    first, _ = run(*play, "--rounds", "1", "--images-per-round", "2")
    ordered = ["--order", "teaches-most", "--warm-passes", "6", "--until", "0"]
    more, told = run(*play, "--rounds", "2", "--images-per-round", "1", *ordered)
    # map_50 cannot be below 0: the second play ends with its first round.
    assert [(line["order"], line["annotated"], line["judged_on"]) for line in first + more] == [
        ("random", 2, 2),
        ("teaches-most", 3, 2),
    ]
    assert all(line["map_50"] is not None and line["training_seconds"] > 0 for line in first + more)
    # What people see in the second comes from the bundle of the first.
    rounds = list(Round.objects.order_by("number"))
    assert told.startswith(f"{rounds[0].bundle_id}: ") and rounds[1].parent == rounds[0].bundle
    # From scratch as the setting says; then six image passes over three images.
    assert [round_.settings["epochs"] for round_ in rounds] == [1, 2]
    # The judges were never proposed on, so nothing of them leaked into the order.
    judges = study_named("discs").images.order_by("sha256")[:2]
    assert [image.state for image in judges] == ["new", "new"]
    assert not Cell.objects.filter(image__in=[image.pk for image in judges]).exists()


def test_the_loop_can_end_with_its_last_corrections(fields: tuple[Path, Path]):
    images, truth = fields
    run("import_images", str(images), "--study", "discs")
    rounds = ["--rounds", "1", "--images-per-round", "2", "--no-last-training"]
    lines, _ = run("simulate_loop", "--study", "discs", *how(truth), *rounds)
    assert [(line["images"], line["map_50"]) for line in lines] == [(2, None)]
    assert lines[0]["corrections_per_cell"] is not None
    assert not Round.objects.exists()
