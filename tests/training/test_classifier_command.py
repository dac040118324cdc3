"""`manage.py train classifier` and a worker, with the real backbone on a tiny study: from labels to a bundle in use."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command

from annotation.models import Cell, Study
from inference.cell_feature_jobs import launch
from inference.models import CellFeatures
from inference.tasks import compute_cell_features
from tests.labelled_cells import BLUE, RED
from training.models import JobState, Kind, Round

pytestmark = pytest.mark.django_db


@pytest.mark.slow
def test_labels_become_a_classifier_that_sorts_what_nobody_labelled(
    labelled_study: Study, make_field: Callable[..., list[Cell]], tmp_path: Any, no_broker: Any
) -> None:
    out, err = io.StringIO(), io.StringIO()
    arguments = ["--study", labelled_study.name, "--label", "promyelocyte", "--seed", "3"]
    arguments += ["--set", "draws=100", "--set", "views=1"]
    call_command("train", "classifier", *arguments, stdout=out, stderr=err)
    found = json.loads(out.getvalue())
    assert found["auroc"]["value"] > 0.9, err.getvalue()
    assert found["auroc"].keys() == found["auprc"].keys() == found["f1"].keys() == {"value", "low", "high"}
    assert [fold["fold"] for fold in found["folds"]] == [0, 1, 2] and found["seconds"] > 0
    made = Round.objects.get()
    assert (made.kind, made.state, made.number, made.bundle_id) == (
        Kind.CLASSIFIER,
        JobState.SUCCEEDED,
        found["round"],
        found["bundle"],
    )
    assert "Learns Promyelocyte against all others from 24 cells of 6 patients." in err.getvalue()
    # What it saw of the cells is kept: the pass over all cells has nothing left to see.
    assert CellFeatures.objects.count() == 24
    job = launch(labelled_study)
    compute_cell_features(job.pk)
    assert job.reload().progress == {"done": 0, "total": 0}

    red, blue = make_field(labelled_study, "P9", [RED, BLUE])
    call_command("classify", "--study", labelled_study.name, "--out", str(tmp_path / "x.csv"), stdout=out, stderr=err)
    rows = [line.split(",") for line in (tmp_path / "x.csv").read_text().splitlines()[1:]]
    probability = {row[1]: float(row[5]) for row in rows}
    assert len(rows) == 26 and probability[str(red.pk)] > probability[str(blue.pk)]
