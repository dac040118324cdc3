"""Borders, labels and states as of earlier moments are what was recorded at those moments."""

import io
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation.as_of import (
    BorderThen,
    borders_as_of,
    choices_as_of,
    differences,
    proposals_lost,
    states_as_of,
)
from annotation.formats.detect import read_records
from annotation.image_state import set_state
from annotation.label_choice import Choice, choices_on
from annotation.models import Cell, Label, ProposalRun, SmearImage, Study, TextAttribute
from annotation.moments import MomentError, moment_of
from annotation.operations import apply
from inference.proposals import propose as propose_anew
from tests.annotation.changes import LARGER, ROUND, SQUARE, change, propose
from tests.inference.test_proposals import Fixed

# History is told by the time at which a transaction began: each change needs one of its own.
pytestmark = pytest.mark.django_db(transaction=True)

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "reshape", "accept", "delete", "restore", "label", "unaccept", "finish", "reopen"]),
        st.integers(0, 5),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=14,
)
Seen = tuple[dict[uuid.UUID, tuple[str, int, Any]], dict[uuid.UUID, Choice], str]


def seen(image: SmearImage) -> Seen:
    """All that can be asked of later: each cell, what is said of each, and the image's state."""
    rows = Cell.objects.filter(image=image).values_list("pk", "status", "version", "border")
    state = SmearImage.objects.values_list("state", flat=True).get(pk=image.pk)
    return {pk: (status, version, border) for pk, status, version, border in rows}, choices_on(image, None), state


def then(image: SmearImage, moment: datetime) -> Seen:
    borders = borders_as_of([image.pk], moment)[image.pk]
    cells = {border.id: (border.status, border.version, border.border) for border in borders}
    return cells, choices_as_of([image.pk], moment), states_as_of([image.pk], moment)[image.pk].state


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=STEPS)
def test_every_moment_of_random_work_is_as_it_was_recorded(
    study: Study, make_image: Any, annotator: User, teammate: User, steps: list[tuple[str, int, int, bool]]
) -> None:
    image = make_image(study, seed=SmearImage.objects.count())
    cells = [propose(image).pk for _ in range(3)] + [uuid.uuid4() for _ in range(3)]
    labels = list(Label.objects.filter(group__study=study, group__multiple=True).values_list("pk", flat=True))
    remark = TextAttribute.objects.get(study=study).pk
    borders = [SQUARE, LARGER, ROUND, {"kind": "circle", "cx": 20.0, "cy": 20.0, "r": 7.0}]
    recorded: list[tuple[datetime, Seen]] = [(timezone.now(), seen(image))]
    for kind, which, variant, first in steps:
        user = annotator if first else teammate
        version = Cell.objects.filter(pk=cells[which]).values_list("version", flat=True).first() or 0
        more: dict[str, Any] = {}
        if kind in ("create", "reshape"):
            more["border"] = borders[variant]
        if kind == "label":
            more |= {"labels": labels[: variant % 3], "texts": {remark: "seen"} if variant == 3 else {}}
        if kind in ("finish", "reopen"):
            state = SmearImage.objects.get(pk=image.pk).state
            if (kind == "reopen") == (state == "annotated"):
                target = "in_progress" if kind == "reopen" else "annotated"
                set_state(image.pk, user, target, "reject" if kind == "finish" else None)
        elif kind == "unaccept":
            apply(image.pk, user, [change("restore", cells[which], version, status="proposed")])
        else:
            # Two changes in one batch, of which the second may be stale: they are recorded as one.
            asked = [change(kind, cells[which], 0 if kind == "create" else version, **more)]
            asked.append(change("reshape", cells[which], version + 1, border=borders[0]))
            apply(image.pk, user, asked[: 1 + variant % 2])
        recorded.append((timezone.now(), seen(image)))
    for moment, was in recorded:
        assert then(image, moment) == was
    for border in borders_as_of([image.pk], None)[image.pk]:
        assert border.correction == (Cell.objects.with_correction().get(pk=border.id).correction or "")


@pytest.fixture
def image(study: Study, make_image: Any) -> SmearImage:
    return make_image(study)


def test_before_an_image_came_there_is_nothing(image: SmearImage, annotator: User) -> None:
    apply(image.pk, annotator, [change("create", uuid.uuid4(), 0, border=SQUARE)])
    before = image.created_at - timedelta(seconds=1)
    assert borders_as_of([image.pk], before) == {image.pk: []}
    assert states_as_of([image.pk], before) == {}


def test_proposals_that_a_later_run_replaced_are_gone_and_it_is_said(
    study: Study, image: SmearImage, annotator: User
) -> None:
    box = {"kind": "rectangle", "x": 2.0, "y": 2.0, "width": 10.0, "height": 10.0}
    far = {"kind": "rectangle", "x": 40.0, "y": 30.0, "width": 10.0, "height": 10.0}
    propose_anew(study, Fixed((box, 0.9), (far, 0.8)), [image])
    kept = Cell.objects.get(image=image, score=0.9)
    first = timezone.now()
    apply(image.pk, annotator, [change("accept", kept.pk, 1)])
    assert proposals_lost([image.pk], first) == set()
    propose_anew(study, Fixed((far, 0.7)), [image])
    (was,) = borders_as_of([image.pk], first)[image.pk]
    assert (was.id, was.status, was.border) == (kept.pk, "proposed", box)
    assert proposals_lost([image.pk], first) == {image.pk}
    assert proposals_lost([image.pk], timezone.now()) == set()
    # Before the first run there was nothing that could have been replaced.
    assert proposals_lost([image.pk], ProposalRun.objects.earliest("pk").created_at - timedelta(seconds=1)) == set()


def test_states_from_before_their_history_are_inferred(study: Study, make_image: Any, annotator: User) -> None:
    new, proposed, touched, finished = (make_image(study, seed=seed) for seed in range(4))
    propose(proposed)
    for each in (touched, finished):
        apply(each.pk, annotator, [change("create", uuid.uuid4(), 0, border=SQUARE)])
    moment = timezone.now()
    SmearImage.pgh_event_models["insert"].objects.all().delete()  # type: ignore[attr-defined]
    ids = [new.pk, proposed.pk, touched.pk, finished.pk]
    found = states_as_of(ids, moment, {finished.pk})
    assert [(found[pk].state, found[pk].recorded) for pk in ids] == [
        ("new", False),
        ("proposed", False),
        ("in_progress", False),
        ("annotated", False),
    ]


def test_each_kind_of_difference(image: SmearImage, annotator: User) -> None:
    kept, moved, gone, accepted, open_, rejected = (propose(image).pk for _ in range(6))
    drawn, later = uuid.uuid4(), uuid.uuid4()
    hidden = propose(image, score=0.1).pk
    done = [change("accept", cell, 1) for cell in (kept, moved, gone)]
    apply(image.pk, annotator, [*done, change("create", drawn, 0, border=SQUARE)])
    moment = timezone.now()
    apply(
        image.pk,
        annotator,
        [
            change("reshape", moved, 2, border=LARGER),
            change("delete", gone, 2),
            change("accept", accepted, 1),
            change("delete", rejected, 1),
            change("create", later, 0, border=LARGER),
        ],
    )
    fresh = propose(image).pk
    found = differences(borders_as_of([image.pk], moment)[image.pk], borders_as_of([image.pk], None)[image.pk])
    kinds = {(each.then or each.now).id: each.kind for each in found}  # type: ignore[union-attr]
    assert kinds == {
        kept: "same",
        moved: "moved",
        gone: "removed",
        accepted: "accepted",
        open_: "open",
        rejected: "removed",
        drawn: "same",
        later: "added",
    }
    assert not {hidden, fresh} & kinds.keys()


def test_few_queries_for_any_number_of_images(
    study: Study, make_image: Any, annotator: User, django_assert_num_queries: Any
) -> None:
    images = [make_image(study, seed=seed) for seed in range(4)]
    for each in images:
        propose(each)
        apply(each.pk, annotator, [change("create", uuid.uuid4(), 0, border=SQUARE)])
    ids = [each.pk for each in images]
    with django_assert_num_queries(2):
        assert [len(found) for found in borders_as_of(ids, timezone.now()).values()] == [2, 2, 2, 2]
    with django_assert_num_queries(4):
        choices_as_of(ids, timezone.now())
    with django_assert_num_queries(2):
        states_as_of(ids, timezone.now())


# --- naming a moment ---


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01", "3rd"])
def test_what_is_no_moment_is_refused(study: Study, text: str) -> None:
    with pytest.raises(MomentError, match="neither the number of a round nor a time"):
        moment_of(study, text)


def test_a_time_without_a_zone_is_the_servers(study: Study) -> None:
    assert moment_of(study, "2026-03-31T18:00").at == datetime(2026, 3, 31, 18, tzinfo=UTC)
    assert moment_of(study, "2026-03-31T18:00+02:00").at == datetime(2026, 3, 31, 16, tzinfo=UTC)


def test_what_is_to_come_is_refused(study: Study) -> None:
    with pytest.raises(MomentError, match="lies in the future"):
        moment_of(study, "2999-01-01")


# --- exports ---


def export(study: Study, format: str, target: Path, *options: str) -> tuple[dict[str, Any], str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("export", str(target), "--study", study.name, "--format", format, *options, stdout=out, stderr=err)
    return json.loads(out.getvalue()), err.getvalue()


@pytest.fixture
def worked(study: Study, make_image: Any, annotator: User, reviewer: User) -> Callable[[int], None]:
    """worked(step): does one step of work after another on a study of three images."""
    ids = dict(Label.objects.filter(group__study=study).values_list("name", "pk"))
    remark = TextAttribute.objects.get(study=study).pk
    first, second, third = (make_image(study, seed=seed, um_per_pixel=0.2) for seed in range(3))
    a, b, c = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    region = Cell(image=third, origin="imported", ignored=True, ignored_class="smudge")

    def work(step: int) -> None:
        if step == 0:
            propose(second)
            apply(first.pk, annotator, [change("create", a, 0, border=SQUARE), change("create", b, 0, border=ROUND)])
            apply(first.pk, annotator, [change("label", a, 1, labels=[ids["Myeloblast"]], texts={remark: "odd"})])
            region.place(LARGER, third)
            region.save()
            set_state(first.pk, annotator, "annotated")
            set_state(third.pk, annotator, "annotated")
        elif step == 1:
            apply(first.pk, annotator, [change("reshape", b, 1, border=LARGER), change("delete", a, 2)])
            set_state(first.pk, reviewer, "reviewed")
        else:
            apply(second.pk, annotator, [change("create", c, 0, border=ROUND)])
            set_state(second.pk, annotator, "annotated", "accept")

    return work


@pytest.mark.parametrize("format", ["via", "coco", "csv"])
def test_an_export_as_of_a_moment_is_the_export_of_that_moment(
    study: Study, worked: Callable[[int], None], tmp_path: Path, format: str
) -> None:
    at_the_time: list[tuple[str, bytes, dict[str, Any]]] = []
    for step in range(3):
        worked(step)
        counts, _ = export(study, format, tmp_path / "then")
        at_the_time.append((timezone.now().isoformat(), (tmp_path / "then").read_bytes(), counts))
    for moment, written, counts in at_the_time:
        again, _ = export(study, format, tmp_path / "now", "--as-of", moment)
        assert again.pop("as_of") == moment
        assert again | {"file": ""} == counts | {"file": ""}
        assert (tmp_path / "now").read_bytes() == written


def test_rejected_borders_of_then_are_in_the_table(study: Study, worked: Callable[[int], None], tmp_path: Path) -> None:
    worked(0)
    before = timezone.now().isoformat()
    worked(1)
    for moment, rejected in ((before, 0), (timezone.now().isoformat(), 1)):
        export(study, "csv", tmp_path / "table", "--deleted", "--as-of", moment)
        assert (tmp_path / "table").read_text().count(",deleted,") == rejected


def test_notes_say_what_an_export_of_the_past_leaves_out(
    study: Study, worked: Callable[[int], None], make_image: Any, tmp_path: Path
) -> None:
    worked(0)
    moment = timezone.now().isoformat()
    worked(2)
    later = make_image(study, seed=9)
    counts, notes = export(study, "coco", tmp_path / "coco", "--as-of", moment)
    assert counts["images"] == 2
    assert "1 images that nobody had annotated by then are not exported." in notes
    counts, notes = export(study, "via", tmp_path / "via", "--as-of", moment)
    assert counts["images"] == 3
    assert "1 proposals that nobody had accepted or rejected by then are not exported." in notes
    assert later.name not in {record.name for record in read_records(tmp_path / "via").images}
    Label.objects.get(group__study=study, name="Myeloblast").cell_labels.all().delete()
    Label.objects.get(group__study=study, name="Myeloblast").delete()
    SmearImage.pgh_event_models["insert"].objects.all().delete()  # type: ignore[attr-defined]
    _, notes = export(study, "csv", tmp_path / "csv", "--as-of", moment)
    assert "1 labels of then are no longer in the study's scheme" in notes
    assert "The states of 3 images are from before states had a history" in notes


def test_a_moment_that_cannot_be_told_is_one_sentence(study: Study, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="has no round 7"):
        export(study, "csv", tmp_path / "table", "--as-of", "7")
    with pytest.raises(CommandError, match="neither the number of a round nor a time"):
        export(study, "csv", tmp_path / "table", "--as-of", "noon")
    assert not (tmp_path / "table").exists()


def test_a_border_then_knows_what_had_been_made_of_it() -> None:
    fields: dict[str, Any] = {"version": 1, "shown": True, "ignored": False, "ignored_class": "", "score": 0.9}
    for origin, status, border, expected in (
        ("proposal", "proposed", ROUND, ""),
        ("proposal", "confirmed", ROUND, "accepted"),
        ("proposal", "confirmed", SQUARE, "moved"),
        ("proposal", "deleted", SQUARE, "deleted"),
        ("drawn", "confirmed", SQUARE, "added"),
        ("drawn", "deleted", SQUARE, ""),
        ("imported", "confirmed", SQUARE, ""),
    ):
        then_ = BorderThen(
            id=uuid.uuid4(), status=status, origin=origin, border=border, proposed_border=ROUND, **fields
        )
        assert then_.correction == expected
