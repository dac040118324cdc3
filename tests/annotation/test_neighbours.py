"""Previous and next in the editor follow the worklist that one came from."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation.models import Cell, Comment, ImageName, Patient, ProposalRun, SmearImage, Study
from annotation.neighbours import neighbours

BORDER = {"kind": "rectangle", "x": 4, "y": 4, "width": 20, "height": 20}


def _image(study: Study, name: str, **fields: Any) -> SmearImage:
    sha256 = f"{SmearImage.objects.count():064x}"
    image = SmearImage.objects.create(study=study, sha256=sha256, width=64, height=48, fold=0, **fields)
    ImageName.objects.create(image=image, name=name)
    return image


def _names(image: SmearImage, **parameters: str) -> tuple[str | None, str | None]:
    names = {row.image_id: row.name for row in ImageName.objects.all()}
    previous, following = neighbours(image, parameters)
    return names.get(previous or 0), names.get(following or 0)


def test_without_a_question_images_follow_in_the_order_of_arrival(study: Study, other_study: Study) -> None:
    c, _, a, b = (_image(study, "c"), _image(other_study, "x"), _image(study, "a"), _image(study, "b"))
    assert (_names(c), _names(a), _names(b)) == ((None, "a"), ("c", "b"), ("a", None))
    assert _names(a, page="2", nonsense="1") == ("c", "b")


def test_they_follow_the_order_and_the_filter_of_the_worklist(study: Study, annotator: User) -> None:
    patient = Patient.arrive(study, "P-1")
    a = _image(study, "a", state="new", patient=patient)
    b = _image(study, "b", state="annotated", assignee=annotator)
    c = _image(study, "c", state="new", assignee=annotator, patient=patient)
    d = _image(study, "d", state="new")
    Cell.objects.create(image=d, border=BORDER, x0=4, y0=4, x1=24, y1=24)
    assert _names(b, sort="name") == ("a", "c")
    assert _names(c, state="new") == ("a", "d")
    assert _names(d, sort="cells") == (None, "a")
    assert _names(d, sort="-cells") == ("c", None)
    assert _names(c, assignee=str(annotator.pk)) == ("b", None)
    assert neighbours(c, {"assignee": "me"}, annotator.pk) == (b.pk, None)
    assert _names(a, assignee="nobody") == (None, "d")
    assert _names(a, patient=str(patient.pk)) == (None, "c")
    assert _names(b, patient="none") == (None, "d")
    assert _names(b, q="P-1") == ("a", "c")
    Comment.objects.create(id="0e6f7e1c-6a30-4f3b-9a4e-1f6e2b8f3c55", image=a, author=annotator, text="?", revision=1)
    assert _names(d, comments="open") == ("a", None)


def test_an_image_that_left_the_list_has_the_neighbours_of_its_place(study: Study) -> None:
    a, b, c = (_image(study, name, state="proposed") for name in "abc")
    assert _names(b, state="proposed") == ("a", "c")
    SmearImage.objects.filter(pk=b.pk).update(state="annotated")
    assert _names(b, state="proposed") == ("a", "c")
    assert _names(a, state="proposed") == (None, "c")
    assert _names(c, state="proposed") == ("a", None)


def test_an_image_keeps_its_place_among_the_uncertain_while_one_works_on_it(study: Study) -> None:
    run = ProposalRun.objects.create(study=study, bundle="0123456789ab", score_threshold=0.6)
    images = {name: _image(study, name, state="proposed") for name in "abc"}
    for name, score in {"a": 0.9, "b": 0.8, "c": 0.7}.items():
        Cell.objects.create(
            image=images[name], border=BORDER, x0=4, y0=4, x1=24, y1=24, origin="proposal", status="proposed",
            run=run, score=score, proposed_border=BORDER,
        )  # fmt: skip
    assert _names(images["b"], sort="uncertain") == ("c", "a")
    Cell.objects.filter(image=images["b"]).update(status="confirmed")
    SmearImage.objects.filter(pk=images["b"].pk).update(state="annotated")
    assert _names(images["b"], sort="uncertain", state="proposed") == ("c", "a")
    assert _names(images["b"], sort="uncertain") == ("c", "a")


@pytest.mark.parametrize("sort", ["name", "arrival", "uncertain", "changed", "cells", "-cells"])
def test_one_query_whatever_the_number_of_images(study: Study, sort: str) -> None:
    images = [_image(study, f"{number:03d}") for number in range(12)]
    with CaptureQueriesContext(connection) as captured:
        before, after = neighbours(images[5], {"sort": sort})
    assert len(captured) == 1
    assert None not in (before, after) and before != after
    # Walking along the list sees every image once.
    seen = []
    key = next(image.pk for image in images if neighbours(image, {"sort": sort})[0] is None)
    while key is not None:
        seen.append(key)
        key = neighbours(SmearImage.objects.get(pk=key), {"sort": sort})[1]
    assert sorted(seen) == sorted(image.pk for image in images)
