from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from annotation.comments import add_comment, resolve
from annotation.image_state import set_state
from annotation.models import Cell, Comment, ImageName, Operation, Patient, ProposalRun, SmearImage, Study
from annotation.worklist import PAGE_SIZE, worklist
from annotation.worklist_query import PARAMETERS, SORTS, WorklistQuery

BORDER = {"kind": "rectangle", "x": 4, "y": 4, "width": 20, "height": 20}


def _row(study: Study, number: int, **fields: Any) -> SmearImage:
    """An image's row alone: the worklist reads no file."""
    fields.setdefault("fold", 0)
    image = SmearImage.objects.create(study=study, sha256=f"{number:064x}", width=64, height=48, **fields)
    ImageName.objects.create(image=image, name=f"field-{number:04d}.png")
    return image


def _cells(image: SmearImage, number: int, **fields: Any) -> None:
    Cell.objects.bulk_create(
        Cell(image=image, border=BORDER, x0=4, y0=4, x1=24, y1=24, **fields) for _ in range(number)
    )


def _names(study: Study, **query: str) -> list[str]:
    return [row.name for row in worklist(study, WorklistQuery.parse(query)).rows]


@pytest.fixture
def run(study: Study) -> ProposalRun:
    return ProposalRun.objects.create(study=study, bundle="0123456789ab", score_threshold=0.5)


def test_counts_are_of_cells_and_of_proposals_that_people_see(study: Study, run: ProposalRun) -> None:
    image = _row(study, 1)
    proposal = {"origin": "proposal", "run": run, "proposed_border": BORDER}
    _cells(image, 3)
    _cells(image, 1, ignored=True)
    _cells(image, 1, status="deleted")
    _cells(image, 2, status="proposed", score=0.5, **proposal)
    _cells(image, 4, status="proposed", score=0.49, **proposal)
    _cells(image, 8, status="proposed", score=0.9, shadowed=True, **proposal)
    _cells(image, 1, status="confirmed", score=0.9, **proposal)
    [row] = worklist(study, WorklistQuery()).rows
    assert (row.figures.cells, row.figures.proposals) == (4, 2)


def test_search_finds_names_and_patients_and_the_filters_count_what_it_found(study: Study, other_study: Study) -> None:
    patient = Patient.arrive(study, "P-17")
    _row(study, 1, patient=patient, state="annotated")
    second = _row(study, 2)
    ImageName.objects.create(image=second, name="also/known-as.png")
    _row(other_study, 3)
    assert _names(study, q="p-17") == ["field-0001.png"]
    assert _names(study, q="KNOWN-as") == ["field-0002.png"]
    assert _names(study, q="field_") == []
    assert _names(study, q="a\x00b") == []
    counts = worklist(study, WorklistQuery.parse({"q": "P-17"})).counts
    assert counts == {"": 1, "new": 0, "proposed": 0, "in_progress": 0, "annotated": 1, "reviewed": 0}


def test_state_and_sort(study: Study) -> None:
    many, none, few = _row(study, 3), _row(study, 2, state="reviewed"), _row(study, 1)
    _cells(many, 5)
    _cells(few, 1)
    assert _names(study) == ["field-0001.png", "field-0002.png", "field-0003.png"]
    assert _names(study, sort="cells") == ["field-0003.png", "field-0001.png", "field-0002.png"]
    assert _names(study, sort="-cells") == ["field-0002.png", "field-0001.png", "field-0003.png"]
    assert _names(study, state="reviewed") == [none.name]
    assert _names(study, state="nonsense", sort="nonsense", page="nonsense") == _names(study)


def _propose(image: SmearImage, run: ProposalRun, *scores: float, **fields: Any) -> None:
    for score in scores:
        _cells(image, 1, origin="proposal", status="proposed", run=run, score=score, proposed_border=BORDER, **fields)


def test_uncertainty_is_the_number_of_corrections_that_the_scores_let_expect(study: Study, run: ProposalRun) -> None:
    image = _row(study, 1, state="proposed")
    _propose(image, run, 0.5, 0.75, 1.0)
    # Hidden: counted as missed from half the threshold on.
    _propose(image, run, 0.4, 0.25, 0.24, 0.05)
    _propose(image, run, 0.6, shadowed=True)
    _cells(image, 2)
    [row] = worklist(study, WorklistQuery()).rows
    assert (row.figures.wrong, row.figures.missed) == (pytest.approx(0.75), pytest.approx(0.65))
    assert row.uncertainty == pytest.approx(1.4)
    assert row.uncertainty_figure == "≈ 1 to correct"
    assert "about 1 of 3 proposals are wrong, and about 1 cell is not proposed." in row.uncertainty_words
    image.state = "annotated"
    image.save()
    [row] = worklist(study, WorklistQuery()).rows
    assert row.uncertainty is None


def test_borders_that_the_detector_still_moved_are_corrections_to_expect(study: Study, run: ProposalRun) -> None:
    image = _row(study, 1, state="proposed")
    _propose(image, run, 1.0, tightness=0.2)
    _propose(image, run, 0.5, tightness=0.4)
    # Nothing is to be moved of what people do not see, or have judged, or of which the detector says nothing.
    _propose(image, run, 0.4, tightness=0.0)
    _propose(image, run, 1.0, tightness=0.0, shadowed=True)
    _propose(image, run, 1.0)
    [row] = worklist(study, WorklistQuery(sort="uncertain")).rows
    assert (row.figures.wrong, row.figures.off, row.figures.missed) == pytest.approx((0.5, 1.1, 0.4))
    assert row.uncertainty == pytest.approx(row.image.uncertainty) == pytest.approx(2.0)  # type: ignore[attr-defined]
    assert "About 1 border is off, as the detector still moved it when it looked again." in row.uncertainty_words


def test_of_two_images_of_the_same_scores_that_of_the_less_sure_borders_comes_first(
    study: Study, run: ProposalRun
) -> None:
    tight, loose, unknown = (_row(study, number, state="proposed") for number in range(3))
    _propose(tight, run, 0.9, tightness=0.99)
    _propose(loose, run, 0.9, tightness=0.7)
    _propose(unknown, run, 0.9)
    assert _names(study, sort="uncertain") == [image.name for image in (loose, tight, unknown)]


def test_the_most_uncertain_come_first_and_those_without_proposals_last(study: Study, run: ProposalRun) -> None:
    sure, done, unsure, new, missed = (
        _row(study, number, state=state)
        for number, state in enumerate(["proposed", "annotated", "in_progress", "new", "proposed"])
    )
    _propose(sure, run, 0.95, 0.95)
    _propose(done, run, 0.51)
    _propose(unsure, run, 0.55)
    _propose(missed, run, 0.49)
    assert _names(study, sort="uncertain") == [image.name for image in (missed, unsure, sure, done, new)]


def test_latest_change_is_a_border_a_comment_or_the_arrival(study: Study, annotator: User) -> None:
    images = [_row(study, number) for number in range(4)]
    cell = Cell.objects.create(image=images[0], border=BORDER, x0=4, y0=4, x1=24, y1=24)
    Operation.objects.create(
        id=uuid4(), image=images[0], cell=cell, user=annotator, kind="create", based_on=0, version=1
    )
    comment = add_comment(images[2], annotator, uuid4(), "?")
    assert _names(study, sort="changed") == [image.name for image in (images[2], images[0], images[3], images[1])]
    add_comment(images[1], annotator, uuid4(), "!")
    resolve(comment, annotator, True)
    assert _names(study, sort="changed")[:2] == [images[2].name, images[1].name]


def test_filters_by_people_patients_and_comments(study: Study, annotator: User, teammate: User) -> None:
    patient = Patient.arrive(study, "P-17")
    first = _row(study, 1, assignee=annotator, patient=patient)
    second = _row(study, 2, assignee=teammate, state="annotated")
    third = _row(study, 3, patient=patient)
    assert _names(study, assignee=str(annotator.pk)) == [first.name]
    assert [row.image for row in worklist(study, WorklistQuery.parse({"assignee": "me"}, teammate.pk)).rows] == [second]
    assert _names(study, assignee="nobody") == [third.name]
    assert _names(study, patient=str(patient.pk)) == [first.name, third.name]
    assert _names(study, patient="none") == [second.name]
    for nonsense in ("-1", "x", "9" * 40, "²", "1.5"):
        assert len(_names(study, assignee=nonsense, patient=nonsense, comments=nonsense)) == 3
    comment = add_comment(second, annotator, uuid4(), "?")
    add_comment(second, annotator, uuid4(), "Yes", answers=comment.pk)
    add_comment(second, annotator, uuid4(), "Here", x=1, y=1)
    listing = worklist(study, WorklistQuery.parse({"comments": "open"}))
    assert [(row.name, row.open_comments) for row in listing.rows] == [(second.name, 2)]
    assert listing.counts == {"": 1, "new": 0, "proposed": 0, "in_progress": 0, "annotated": 1, "reviewed": 0}
    for thread in Comment.objects.filter(answers=None):
        resolve(thread, annotator, True)
    assert _names(study, comments="open") == []


def test_an_image_that_a_reviewer_sent_back_says_why(
    study: Study, annotator: User, teammate: User, reviewer: User
) -> None:
    image = _row(study, 1, state="annotated", assignee=annotator)

    def sent_back() -> str:
        [row] = worklist(study, WorklistQuery()).rows
        return row.sent_back

    add_comment(image, reviewer, uuid4(), "Here", x=1, y=1)
    add_comment(image, teammate, uuid4(), "Nice")
    set_state(image.pk, reviewer, "in_progress")
    assert sent_back() == ""
    set_state(image.pk, reviewer, "annotated")
    set_state(image.pk, reviewer, "in_progress", comment="Smudge cells are no cells.")
    assert sent_back() == "Smudge cells are no cells."
    SmearImage.objects.update(assignee=reviewer)
    assert sent_back() == ""
    SmearImage.objects.update(assignee=annotator)
    resolve(Comment.objects.get(text__startswith="Smudge"), annotator, True)
    assert sent_back() == ""


def test_pages_hold_fifty_and_addresses_carry_the_question(study: Study) -> None:
    for number in range(PAGE_SIZE + 1):
        _row(study, number)
    assert len(_names(study)) == PAGE_SIZE
    assert _names(study, page="2") == ["field-0050.png"]
    assert _names(study, page="99") == ["field-0050.png"]
    query = WorklistQuery.parse({"q": "a&b", "state": "new", "page": "2"})
    assert query.address() == "?state=new&q=a%26b"
    assert query.address(page="3") == "?state=new&q=a%26b&page=3"
    assert query.address(state="") == "?q=a%26b"


def test_htmx_gets_the_list_alone(study: Study, annotator: User, client_of: Any) -> None:
    _row(study, 1)
    client, address = client_of(annotator), reverse("study", args=[study.pk])
    whole = client.get(address)
    part = client.get(address, headers={"HX-Request": "true"})
    assert b"<html" in whole.content and b"<html" not in part.content
    assert part.content.strip().startswith(b'<div id="worklist">')
    assert "HX-Request" in whole["Vary"] and "HX-Request" in part["Vary"]


_WORDS = st.sampled_from(["", "new", "nobody", "none", "me", "open", "uncertain", "-cells", "7", "0", "-1", "9" * 30])


@given(
    st.dictionaries(st.sampled_from(PARAMETERS), _WORDS | st.text(max_size=12)),
    st.none() | st.integers(1, 9),
)
def test_an_address_asks_again_for_what_it_was_made_from(parameters: dict[str, str], viewer: int | None) -> None:
    query = WorklistQuery.parse(parameters, viewer)
    for address in (query.address(), query.editor_address()):
        assert WorklistQuery.parse(dict(parse_qsl(address.removeprefix("?")))) == query
    assert "sort=" in query.editor_address()
    query.condition()


def test_links_to_the_editor_carry_the_list(study: Study, annotator: User, client_of: Any) -> None:
    image = _row(study, 1, state="proposed", assignee=annotator)
    client, address = client_of(annotator), reverse("study", args=[study.pk])
    editor = reverse("image", args=[image.pk])
    assert f'href="{editor}?sort=name"' in client.get(address).content.decode()
    page = client.get(address, {"state": "proposed", "assignee": "me", "sort": "uncertain", "q": "field"})
    assert f'href="{editor}?state=proposed&amp;assignee={annotator.pk}&amp;q=field&amp;sort=uncertain"' in (
        page.content.decode()
    )


def test_the_address_of_a_part_is_that_of_a_link(study: Study, annotator: User, client_of: Any) -> None:
    _row(study, 1)
    address = reverse("study", args=[study.pk])
    asked = {"q": "", "assignee": "", "patient": "", "sort": "cells", "state": "new"}
    part = client_of(annotator).get(address, asked, headers={"HX-Request": "true"})
    assert part["HX-Push-Url"] == f"{address}?state=new&sort=cells"


def _assign(client: Client, study: Study, *images: SmearImage, user: Any, **options: Any) -> Any:
    address = reverse("study-assign", args=[study.pk]) + options.pop("query", "")
    return client.post(address, {"image": [image.pk for image in images], "user": user}, **options)


def test_several_images_are_assigned_at_once(
    study: Study, annotator: User, reviewer: User, outsider: User, client_of: Any
) -> None:
    images = [_row(study, number) for number in range(3)]
    htmx = {"headers": {"HX-Request": "true"}}
    part = _assign(client_of(reviewer), study, *images[:2], user=annotator.pk, query="?assignee=nobody", **htmx)
    said = part.content.decode()
    assert "2 images are now assigned to anna." in said and said.count("image-card") == 1
    assert 'hx-swap-oob="true"' in said and "HX-Push-Url" not in part
    whole = _assign(client_of(reviewer), study, images[0], user="nobody", query="?sort=cells&page=1", follow=True)
    assert whole.redirect_chain[-1][0] == reverse("study", args=[study.pk]) + "?sort=cells"
    assert "1 image is now assigned to nobody." in whole.content.decode()
    assert list(study.images.order_by("pk").values_list("assignee__username", flat=True)) == [None, "anna", None]

    for who, images_, user, sentence in [
        (reviewer, images, "", "Choose the person"),
        (reviewer, images, outsider.pk, "no member of the study"),
        (reviewer, images, "9" * 30, "Choose the person"),
        (reviewer, [], annotator.pk, "No image is selected"),
        (annotator, images, reviewer.pk, "Reviewers and admins assign"),
    ]:
        assert sentence in _assign(client_of(who), study, *images_, user=user, **htmx).content.decode()
    assert _assign(client_of(outsider), study, *images, user=annotator.pk).status_code == 404
    assert _assign(Client(), study, *images, user=annotator.pk)["Location"].startswith(reverse("sign-in"))
    assert client_of(reviewer).get(reverse("study-assign", args=[study.pk])).status_code == 405
    assert study.images.exclude(assignee=None).count() == 1


def test_a_card_takes_and_gives_back(
    study: Study, annotator: User, teammate: User, outsider: User, client_of: Any
) -> None:
    image = _row(study, 1)
    address = reverse("image-assign", args=[image.pk])
    part = client_of(annotator).post(address, {"user": annotator.pk}, headers={"HX-Request": "true"})
    assert "Give back" in part.content.decode() and "message-error" not in part.content.decode()
    refused = client_of(teammate).post(address, {"user": teammate.pk}, headers={"HX-Request": "true"})
    assert "The image is assigned to anna" in refused.content.decode()
    back = client_of(annotator).post(address + "?state=new", {"user": "nobody"})
    assert back["Location"] == reverse("study", args=[study.pk]) + "?state=new"
    image.refresh_from_db()
    assert image.assignee is None
    assert client_of(outsider).post(address, {"user": outsider.pk}).status_code == 404


def test_reviewers_choose_among_the_members_on_the_card(
    study: Study, annotator: User, reviewer: User, client_of: Any
) -> None:
    image = _row(study, 1, assignee=annotator)
    page = client_of(reviewer).get(reverse("study", args=[study.pk])).content.decode()
    assert f'<option value="{annotator.pk}" selected>anna</option>' in page and "rita (you)" in page
    study.memberships.filter(user=annotator).delete()
    page = client_of(reviewer).get(reverse("study", args=[study.pk])).content.decode()
    assert f'<option value="{annotator.pk}" selected disabled>anna</option>' in page
    assert image.name in page


def test_next_opens_an_image_and_makes_it_ones_own(
    study: Study, annotator: User, teammate: User, outsider: User, client_of: Any
) -> None:
    first, second = _row(study, 1), _row(study, 2)
    address = reverse("study-next", args=[study.pk])
    opened = client_of(annotator).post(address)
    own = f"?assignee={annotator.pk}&sort=arrival"
    assert opened["Location"] == reverse("image", args=[first.pk]) + own
    assert client_of(teammate).post(address)["Location"].startswith(reverse("image", args=[second.pk]))
    following = client_of(annotator).post(address, {"after": first.pk}, follow=True)
    assert following.redirect_chain[-1][0] == reverse("study", args=[study.pk])
    assert "No image is left for you." in following.content.decode()
    assert client_of(annotator).post(address, {"after": "x"})["Location"] == opened["Location"]
    assert client_of(outsider).post(address).status_code == 404
    assert client_of(annotator).get(address).status_code == 405


def test_the_studies_page_says_what_is_assigned_to_me(study: Study, annotator: User, client_of: Any) -> None:
    _row(study, 1, assignee=annotator)
    _row(study, 2, assignee=annotator, state="reviewed")
    page = client_of(annotator).get(reverse("studies")).content.decode()
    assert f'{reverse("study", args=[study.pk])}?assignee=me" title="Unfinished' in page and ">1</a>" in page


def test_pages_say_what_to_do_when_there_is_nothing(study: Study, annotator: User, client_of: Any) -> None:
    client, address = client_of(annotator), reverse("study", args=[study.pk])
    assert "No images yet" in client.get(address).content.decode()
    _row(study, 1)
    assert "No image matches" in client.get(address, {"q": "zebra"}).content.decode()


def test_a_synthetic_study_is_marked_on_every_page(study: Study, annotator: User, client_of: Any) -> None:
    client = client_of(annotator)
    pages = [reverse("studies"), *(reverse(name, args=[study.pk]) for name in ("study", "upload", "members"))]
    assert not any("mark-synthetic" in client.get(page).content.decode() for page in pages)
    study.synthetic = True
    study.save()
    assert all("mark-synthetic" in client.get(page).content.decode() for page in pages)


@pytest.mark.parametrize("sort", list(SORTS))
def test_queries_do_not_grow_with_images_and_cells(sort: str, study: Study, annotator: User, client_of: Any) -> None:
    client, address = client_of(annotator), reverse("study", args=[study.pk])

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert client.get(address, {"sort": sort}).status_code == 200
        return len(captured)

    _cells(_row(study, 0, patient=Patient.arrive(study, "P0")), 1)
    few = queries()
    for number in range(1, 30):
        image = _row(study, number, patient=Patient.arrive(study, f"P{number}"), assignee=annotator)
        _cells(image, 3)
        add_comment(image, annotator, uuid4(), "?")
    assert queries() == few <= 14


def test_queries_of_the_studies_page_do_not_grow(study: Study, annotator: User, client_of: Any) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client_of(annotator).get(reverse("studies")).status_code == 200
        return len(captured)

    _row(study, 0)
    few = queries()
    for number in range(8):
        other = Study.objects.create(name=f"Study {number}")
        other.memberships.create(user=annotator)
        _cells(_row(other, number), 2)
    assert queries() == few
