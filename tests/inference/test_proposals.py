"""Proposals as rows: kept as proposed, replaced by the next run, never on a border that people stand for."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from PIL import Image

from annotation.models import Cell, ProposalRun, SmearImage, Study
from annotation.operations import Change, apply
from inference.proposals import FirstProposals, ProposalProblem, chosen_bundle, propose
from training.models import Bundle, Kind

pytestmark = pytest.mark.django_db


def circle(x: float, y: float, r: float = 6.0) -> dict[str, Any]:
    return {"kind": "circle", "cx": x, "cy": y, "r": r}


class Fixed:
    """Proposes what it was given, whatever the image."""

    name = "fixed"
    score_threshold = 0.5

    def __init__(self, *found: tuple[dict[str, Any], float]) -> None:
        self.found = [{"border": border, "score": score} for border, score in found]

    def propose(self, image: Image.Image) -> list[dict[str, Any]]:
        return self.found


@pytest.fixture
def image(study: Study, make_image: Callable[..., SmearImage]) -> SmearImage:
    return make_image(study)


def change(kind: str, cell: Cell, **more: Any) -> Change:
    return Change(id=uuid4(), kind=kind, cell=cell.pk, version=cell.version, **more)


def test_a_proposal_keeps_its_score_run_and_border(study: Study, image: SmearImage):
    made = propose(study, Fixed((circle(20, 20), 0.9), (circle(40, 30), 0.2)), [image])
    assert (made.images, made.proposals, made.shown) == (1, 2, 1)
    cell = Cell.objects.get(score=0.9)
    assert cell.proposed_border == cell.border == circle(20, 20)
    assert cell.run == made.run and cell.run.bundle == "fixed"
    image.refresh_from_db()
    assert image.state == SmearImage.State.PROPOSED and image.proposed_by == made.run


def test_a_proposal_keeps_how_sure_the_detector_was_of_its_border(study: Study, image: SmearImage):
    sure_of_borders = Fixed((circle(20, 20), 0.9), (circle(40, 30), 0.8))
    sure_of_borders.found[0]["tightness"] = 0.75
    propose(study, sure_of_borders, [image])
    assert list(Cell.objects.order_by("x0").values_list("tightness", flat=True)) == [0.75, None]


def test_running_twice_leaves_one_set(study: Study, image: SmearImage):
    propose(study, Fixed((circle(20, 20), 0.9)), [image])
    second = propose(study, Fixed((circle(22, 20), 0.8)), [image])
    assert [cell.run for cell in Cell.objects.all()] == [second.run]


def test_an_image_without_any_find_is_proposed_on_all_the_same(study: Study, image: SmearImage):
    made = propose(study, Fixed(), [image])
    image.refresh_from_db()
    assert image.proposed_by == made.run


def test_what_people_did_is_never_touched(study: Study, image: SmearImage, annotator: User):
    propose(study, Fixed((circle(12, 12), 0.9), (circle(32, 12), 0.9), (circle(50, 30), 0.9)), [image])
    accepted, moved, rejected = Cell.objects.order_by("x0")
    drawn = uuid4()
    outcome = apply(
        image.pk,
        annotator,
        [
            change("accept", accepted),
            change("reshape", moved, border=circle(30, 14)),
            change("delete", rejected),
            Change(id=uuid4(), kind="create", cell=drawn, version=0, border=circle(14, 38)),
        ],
    )
    assert {result.status for result in outcome.results} == {"applied"}
    before = {c.pk: (c.version, c.status, c.border, c.proposed_border) for c in Cell.objects.all()}
    again = propose(
        study,
        Fixed((circle(13, 12), 0.95), (circle(50, 31), 0.95), (circle(14, 38), 0.9), (circle(56, 8), 0.7)),
        [image],
    )
    after = {c.pk: (c.version, c.status, c.border, c.proposed_border) for c in Cell.objects.all()}
    assert {pk: after[pk] for pk in before} == before
    # On a settled border, accepted, rejected or drawn, nothing is asked again; elsewhere it is.
    new = Cell.objects.filter(run=again.run).order_by("x0")
    assert [(c.proposed_border["cx"], c.shadowed) for c in new] == [(13, True), (14, True), (50, True), (56, False)]
    assert again.shown == 1


def test_corrections_are_read_from_the_records(study: Study, image: SmearImage, annotator: User):
    propose(study, Fixed((circle(12, 12), 0.9), (circle(32, 12), 0.9), (circle(50, 30), 0.9)), [image])
    accepted, moved, rejected = Cell.objects.order_by("x0")
    apply(
        image.pk,
        annotator,
        [
            change("accept", accepted),
            change("reshape", moved, border=circle(30, 14)),
            change("delete", rejected),
            Change(id=uuid4(), kind="create", cell=uuid4(), version=0, border=circle(14, 38)),
        ],
    )
    found = sorted(Cell.objects.with_correction().values_list("correction", flat=True))
    assert found == ["accepted", "added", "deleted", "moved"]


def test_a_missing_file_is_reported_and_the_rest_goes_on(
    study: Study, make_image: Callable[..., SmearImage], settings: Any
):
    first, second = make_image(study, seed=1), make_image(study, seed=2)
    for path in settings.IMAGE_STORE.glob(f"{first.sha256[:2]}/{first.sha256}.png"):
        path.unlink()
    made = propose(study, Fixed((circle(20, 20), 0.9)), [first, second])
    assert made.missing == (first.name,) and made.images == 1


def test_the_pass_ends_when_it_is_told_to(study: Study, make_image: Callable[..., SmearImage]):
    images = [make_image(study, seed=i) for i in range(3)]
    made = propose(study, Fixed((circle(20, 20), 0.9)), images, lambda done, total: done < 2)
    assert made.images == 2 and ProposalRun.objects.get().images == 2


def test_first_proposals_need_no_model(study: Study, image: SmearImage):
    made = propose(study, FirstProposals(), [image])
    assert made.run.bundle == "watershed/1"


def test_a_bundle_of_another_study_is_taken_where_all_may_be_seen(study: Study, other_study: Study) -> None:
    bundle = Bundle.objects.create(id="0123456789ab", study=other_study, kind=Kind.DETECTOR, card={})
    with pytest.raises(ProposalProblem, match="has no bundle '0123456789ab'"):
        chosen_bundle(study, bundle.pk)
    assert chosen_bundle(study, bundle.pk, elsewhere=True) == bundle
