"""Which bundle a round starts from."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User

from annotation.models import Membership, Role, Study
from training.freeze import RoundRefused
from training.launching import launch
from training.models import Bundle
from training.parent_choice import AUTO

pytestmark = pytest.mark.django_db


def bundle_in_use(study: Study, folder: Path, **card: Any) -> Bundle:
    from training.bundle import copy_bundle, read_bundle

    made = read_bundle(folder)
    copy_bundle(folder, Path(settings.BUNDLE_FOLDER) / made.id)
    row = Bundle.objects.create(id=made.id, study=study, card=made.card)
    row.promote()
    return row


def test_the_bundle_in_use_is_the_parent_where_it_saw_nothing_that_judges(
    annotated_study: Study, ready_bundle: Any
) -> None:
    bundle = bundle_in_use(annotated_study, ready_bundle("0" * 64))
    made = launch(annotated_study)
    assert made.parent == bundle
    assert f"Starts from bundle {bundle.pk}." in made.log


def test_a_bundle_that_saw_what_judges_is_passed_over_and_the_log_says_so(
    annotated_study: Study, ready_bundle: Any
) -> None:
    everything = [image.group for image in annotated_study.images.select_related("patient")]
    bundle = bundle_in_use(annotated_study, ready_bundle("0" * 64, groups=everything))
    made = launch(annotated_study, parent=AUTO)
    assert made.parent is None
    assert f"Starts from scratch, not from bundle {bundle.pk}" in made.log


def test_an_image_seen_under_another_patient_counts_as_seen(annotated_study: Study, ready_bundle: Any) -> None:
    hashes = list(annotated_study.images.values_list("sha256", flat=True))
    bundle_in_use(annotated_study, ready_bundle("0" * 64, groups=["p:somebody"], images=hashes))
    assert launch(annotated_study).parent is None


def test_a_named_parent_that_saw_what_judges_is_refused(annotated_study: Study, ready_bundle: Any) -> None:
    everything = [image.group for image in annotated_study.images.select_related("patient")]
    bundle = bundle_in_use(annotated_study, ready_bundle("0" * 64, groups=everything))
    with pytest.raises(RoundRefused, match=f"cannot start from bundle {bundle.pk}"):
        launch(annotated_study, parent=bundle.pk)
    assert launch(annotated_study, settings={"validation": "none"}, parent=bundle.pk).parent == bundle


def test_whose_files_are_gone_is_no_parent(annotated_study: Study, ready_bundle: Any) -> None:
    bundle = bundle_in_use(annotated_study, ready_bundle("0" * 64))
    bundle.folder.rename(bundle.folder.with_name("elsewhere"))
    with pytest.raises(RoundRefused, match="its files are gone"):
        launch(annotated_study, parent=bundle.pk)


def test_a_parent_of_another_study_is_for_its_members(
    annotated_study: Study, other_study: Study, ready_bundle: Any, admin: User
) -> None:
    bundle = bundle_in_use(other_study, ready_bundle("0" * 64))
    with pytest.raises(RoundRefused, match=f"has no bundle {bundle.pk}, and none of your other studies has"):
        launch(annotated_study, admin, parent=bundle.pk)
    Membership.objects.create(study=other_study, user=admin, role=Role.ANNOTATOR)
    made = launch(annotated_study, admin, parent=bundle.pk)
    assert made.parent == bundle
    assert f"Starts from bundle {bundle.pk} of the study {other_study.name}." in made.log


def test_the_command_line_starts_from_a_bundle_of_any_study(
    annotated_study: Study, other_study: Study, ready_bundle: Any
) -> None:
    bundle = bundle_in_use(other_study, ready_bundle("0" * 64))
    assert launch(annotated_study, parent=bundle.pk).parent == bundle


def test_a_parent_of_another_study_that_saw_what_judges_is_refused(
    annotated_study: Study, other_study: Study, ready_bundle: Any
) -> None:
    hashes = list(annotated_study.images.values_list("sha256", flat=True))
    bundle = bundle_in_use(other_study, ready_bundle("0" * 64, groups=["p:somebody"], images=hashes))
    with pytest.raises(RoundRefused, match="which judges this round"):
        launch(annotated_study, parent=bundle.pk)


def test_a_first_round_starts_from_the_bundle_of_another_study_that_has_seen_most(
    annotated_study: Study, other_study: Study, ready_bundle: Any
) -> None:
    third = Study.objects.create(name="Third")
    bundle_in_use(third, ready_bundle("1" * 64, images=["a" * 64]))
    most = bundle_in_use(other_study, ready_bundle("0" * 64, images=["a" * 64, "b" * 64]))
    made = launch(annotated_study)
    assert made.parent == most
    assert f"Starts from bundle {most.pk} of the study {other_study.name}." in made.log


def test_the_own_bundle_goes_before_that_of_another_study(
    annotated_study: Study, other_study: Study, ready_bundle: Any
) -> None:
    bundle_in_use(other_study, ready_bundle("0" * 64, images=["a" * 64, "b" * 64]))
    own = bundle_in_use(annotated_study, ready_bundle("1" * 64))
    assert launch(annotated_study).parent == own


def test_where_the_own_bundle_saw_what_judges_another_studys_is_taken(
    annotated_study: Study, other_study: Study, ready_bundle: Any
) -> None:
    other = bundle_in_use(other_study, ready_bundle("0" * 64))
    everything = [image.group for image in annotated_study.images.select_related("patient")]
    own = bundle_in_use(annotated_study, ready_bundle("1" * 64, groups=everything))
    made = launch(annotated_study)
    assert made.parent == other
    assert f"of the study {other_study.name}, not from bundle {own.pk}: it was trained on" in made.log


def test_of_anothers_study_no_bundle_is_chosen_by_itself(
    annotated_study: Study, other_study: Study, ready_bundle: Any, admin: User
) -> None:
    bundle_in_use(other_study, ready_bundle("0" * 64))
    assert launch(annotated_study, admin).parent is None


@pytest.mark.parametrize("both", [False, True])
def test_a_synthetic_study_starts_synthetic_ones_alone(
    annotated_study: Study, other_study: Study, ready_bundle: Any, both: bool
) -> None:
    bundle = bundle_in_use(other_study, ready_bundle("0" * 64))
    Study.objects.filter(pk=other_study.pk).update(synthetic=True)
    annotated_study.synthetic = both
    annotated_study.save()
    assert launch(annotated_study).parent == (bundle if both else None)


def test_a_bundle_that_nobody_has_does_not_exist(annotated_study: Study) -> None:
    with pytest.raises(RoundRefused, match="has no bundle abcdefabcdef"):
        launch(annotated_study, parent="abcdefabcdef")
