"""The search for settings of classifiers: taken into the bundle, and made without whoever judges."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.coloured_cells import MeanColour, coloured_cells
from training import classifier_search, run_classifier
from training.bundle import read_bundle
from training.classifier_lesson import lesson_of
from training.classifier_settings import ClassifierSettings
from training.classifier_target import Target
from training.classifier_teaching import fit_on_features
from training.inner_search import ALL

TARGET = Target("Cell type", "Promyelocyte")
QUICK = ["--set", "draws=100", "--set", "views=1"]


class Features:
    """As training/cell_network.py's Cells: of a cell the number of its row, so that it is known again."""

    def __init__(self, count: int) -> None:
        self.features = np.tile(np.arange(count, dtype=np.float32)[:, None], (1, 3))
        self.views = [self.features]

    def __len__(self) -> int:
        return len(self.features)


def test_a_search_is_in_the_bundle_and_its_settings_are_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot, out = coloured_cells(tmp_path, patients=9, each=6), tmp_path / "out"
    arguments = [str(snapshot.folder), str(out), "--group", "Cell type", "--label", "Promyelocyte", *QUICK]
    assert run_classifier.main([*arguments, "--trials", "3"], extractor=lambda settings: MeanColour()) == 0
    said = json.loads(capsys.readouterr().out)
    card = read_bundle(out / "bundle", "classifier").card
    assert said["searched"] == card["searched"] and len(card["trials"]) == 4 * 3
    assert card["trials"][0]["settings"] == {"penalty": 0.0, "directions": 200, "balance": 0.5, "views": 1}
    assert card["settings"] | card["searched"]["settings"] == card["settings"]
    assert card["searched"]["scopes"]["0"]["patients"] == 6 and card["searched"]["patients"] == 9
    # A network that sees crops would take as long for each trial as for the round.
    assert run_classifier.main([*arguments, "--trials", "3", "--set", "learns=finetune"]) == 1
    assert "as long as the round" in capsys.readouterr().err


def test_nobody_who_judges_a_fold_takes_part_in_its_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lesson = lesson_of(coloured_cells(tmp_path, patients=9, each=6).manifest, TARGET, 3)
    seen: list[set[str]] = []

    def watched(settings: Any, cells: Any, rows: Any, targets: Any, groups: Any, *more: Any) -> Any:
        assert {lesson.cells[row].patient for row in rows} == set(groups)
        seen.append(set(groups))
        return fit_on_features(settings, cells, rows, targets, groups, *more)

    monkeypatch.setattr(classifier_search, "fit_on_features", watched)
    found = classifier_search.search_classifier(
        lesson,
        Features(len(lesson.cells)),  # type: ignore[arg-type]
        ClassifierSettings(views=0),
        2,
        seed=0,
        out=tmp_path,
        identity={},
        tell=lambda event: None,
        wanted=lambda: True,
    )
    assert found.own.keys() == {"0", "1", "2", ALL} and len(seen) == 4 * 2 * classifier_search.PARTS
    head = lesson.heads[0]
    folds = {lesson.cells[row].patient: fold for row, fold in zip(head.rows, head.folds, strict=True)}
    for number in range(3):
        own = seen[number * 6 : number * 6 + 6]
        outside = {patient for patient, fold in folds.items() if fold != number}
        # Each trial teaches on two parts of three, and together they are all patients outside the fold.
        assert set.union(*own) == outside and all(taught < outside for taught in own)
