"""Who says that a cell has a label, and can be asked why: the heads that learn while people label, and classifiers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from annotation.blind_reading import hidden_cells
from annotation.label_names import same_name
from annotation.models import Cell, Label, Study
from inference.kept_heads import KeptHead, head_of
from inference.models import INTERACTIVE, CellProbability
from training.bundle import BundleError
from training.models import Bundle, Kind

LEARNING = "the heads that learn as you label"


class VoiceError(Exception):
    """Nobody of that name says anything of that label; the message says so in one sentence."""


@dataclass(frozen=True)
class Voice:
    """One that speaks of a label: `bundle` is a bundle's id or INTERACTIVE, `words` how people call it; `probability`
    what it has said of the cell, None where it has not been asked."""

    label: Label
    bundle: str
    words: str
    probability: float | None


def voices_of(study: Study, cell: Cell, viewer: int) -> list[Voice]:
    """Who has said something of a cell, the most probable label first, and then the classifiers in use that have not;
    nobody where the viewer is to judge the cell without models. Five queries."""
    if hidden_cells(viewer, model=True).filter(cell=cell.pk).exists():
        return []
    said = list(CellProbability.objects.filter(cell=cell, label__group__study=study).select_related("label__group"))
    bundles = {each.pk: each for each in _bundles(study, {row.bundle for row in said})}
    found = [
        Voice(row.label, row.bundle, _words(bundles.get(row.bundle)), row.probability)
        for row in sorted(said, key=lambda row: -row.probability)
        if row.bundle == INTERACTIVE or row.bundle in bundles
    ]
    spoken = {(voice.label.pk, voice.bundle) for voice in found}
    labels = Label.objects.filter(group__study=study).offered().select_related("group")
    for bundle in bundles.values():
        told = {same_name(name) for name in bundle.card.get("classes", ())}
        for label in labels if bundle.in_use and bundle.study_id == study.pk else ():
            if (label.pk, bundle.pk) not in spoken and told & _names(label):
                found.append(Voice(label, bundle.pk, _words(bundle), None))
    return found


def bundle_for(study: Study, cell: Cell, bundle: str) -> Bundle | None:
    """The classifier of that id, where it is the study's or has spoken of the cell; None for the heads that learn.

    Raises VoiceError for any other: of other studies' bundles nobody is told whether they exist."""
    if bundle == INTERACTIVE:
        return None
    spoken = CellProbability.objects.filter(cell=cell, bundle=bundle).exists()
    found = Bundle.objects.filter(pk=bundle, kind=Kind.CLASSIFIER).first()
    if found is None or not (spoken or found.study_id == study.pk):
        raise VoiceError(f"The study {study.name} has no classifier {bundle!r}.")
    return found


def head_that_tells(label: Label, bundle: Bundle | None) -> KeptHead:
    """The head of a classifier's bundle, or of those that learn, that tells a label. Raises VoiceError."""
    if bundle is None:
        kept = head_of(label.group_id, label.pk)
        if kept is None:
            raise VoiceError(f"The heads that learn as you label have not learned {label.name} yet.")
        return kept
    # Imported here: the web process never loads what heads are made of.
    from training.classifier_bundle import Classifier

    try:
        classifier = Classifier.load(bundle.folder)
    except BundleError as problem:
        raise VoiceError(str(problem)) from problem
    wanted = _names(label)
    heads = zip(classifier.card["architecture"]["heads"], classifier.heads, strict=True)
    for number, (stated, head) in enumerate(heads):
        for column, name in enumerate(stated["classes"]):
            if same_name(name) in wanted:
                network = (bundle.folder, number) if classifier.sees_crops else None
                return KeptHead(head, column, classifier.backbone, network)
    raise VoiceError(f"The classifier {bundle.pk} does not tell {label.name}.")


def _bundles(study: Study, spoken: Iterable[str]) -> Iterable[Bundle]:
    in_use = Q(study=study, in_use=True)
    return Bundle.objects.filter(in_use | Q(pk__in=set(spoken)), kind=Kind.CLASSIFIER).order_by("-created_at")


def _words(bundle: Bundle | None) -> str:
    return LEARNING if bundle is None else f"classifier {bundle.pk} ({bundle.tells})"


def _names(label: Label) -> set[str]:
    aliases: Any = label.aliases
    return {same_name(name) for name in (label.name, *aliases)}
