"""One round of the whole-image baseline, from a snapshot to its bundle: a network of each fold and one of all, and what
those say of patients that they had not seen. Free of Django."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from training.code_version import VERSION
from training.contract import content_hash
from training.crop_features import Stopped
from training.decisions import asked_of
from training.devices import peak_of_process
from training.diagnosis_bundle import save_tensors
from training.diagnosis_card import chances_of, judged_of, summary_of
from training.diagnosis_chain import ALL
from training.diagnosis_judging import calibrate
from training.diagnosis_settings import ImageSettings
from training.image_bundle import mean_scores, write_image_bundle
from training.image_lesson import ImageLesson, image_lesson
from training.image_network import ImageNetwork
from training.image_pixels import Pixels, load_small
from training.image_teaching import Lesson, passes_for, teach_network
from training.judged import NAME as JUDGED
from training.judged_chances import write_judged_chances
from training.snapshot import Snapshot

Tell = Callable[[dict[str, Any]], None]
# Between two events while images are loaded.
_TOLD_SECONDS = 1.0


def carry_out(
    snapshot: Snapshot,
    settings: ImageSettings,
    seed: int,
    out: Path,
    *,
    tell: Tell = lambda event: None,
    wanted: Callable[[], bool] = lambda: True,
) -> dict[str, Any]:
    """Teach and judge, and write OUT/bundle: {"bundle", "seconds", "folds", "peak_memory"}.

    Networks that are taught are kept in OUT, so that the same command goes on with them. Raises DecisionError where
    nothing can be learned and judged, BackboneError where no network can be begun with, SnapshotError for an image that
    is damaged, Stopped where it is no longer `wanted`.
    """
    begun = time.monotonic()
    lesson = image_lesson(snapshot.manifest, asked_of(snapshot.manifest, settings.decisions), settings.folds)
    words = " and ".join(decision.name for decision in lesson.decisions)
    _say(tell, f"Learns {words} from {len(lesson.entries)} images of {len(lesson.patients)} patients as a whole.")
    for name, reason in lesson.left_out.items():
        _say(tell, f"{name} is left out: {reason}")
    images = _loaded(snapshot, lesson, settings.size, tell, wanted)
    networks = _taught(snapshot, lesson, images, settings, seed, out, tell, wanted)
    unseen = _unseen(lesson, images, networks)
    calibrations = {each.name: calibrate(unseen[each.name], lesson.of(each)[1]) for each in lesson.decisions}
    judged = {
        each.name: judged_of(lesson, each, unseen[each.name], calibrations[each.name], settings, seed)
        for each in lesson.decisions
    }
    write_judged_chances(
        out / JUDGED,
        [chances_of(lesson, each, unseen[each.name], calibrations[each.name]) for each in lesson.decisions],
    )
    facts = {
        "seed": seed,
        "metrics": summary_of(judged, {"images": len(lesson.entries)}),
        "judged": judged,
        "notes": [],
    }
    bundle = write_image_bundle(out / "bundle", networks, calibrations, snapshot, lesson, settings, facts)
    for name in networks:
        _kept_at(out, name).unlink(missing_ok=True)
    return {
        "bundle": bundle.id,
        "seconds": round(time.monotonic() - begun, 1),
        "folds": judged[lesson.decisions[0].name]["folds"],
        "peak_memory": peak_of_process(),
    }


def _loaded(snapshot: Snapshot, lesson: ImageLesson, size: int, tell: Tell, wanted: Callable[[], bool]) -> list[Pixels]:
    found: list[Pixels] = []
    told = 0.0
    for number, entry in enumerate(lesson.entries, start=1):
        if not wanted():
            raise Stopped
        found.append(load_small(snapshot, dict(entry), size))
        if time.monotonic() - told > _TOLD_SECONDS or number == len(lesson.entries):
            told = time.monotonic()
            tell({"event": "load", "done": number, "images": len(lesson.entries)})
    return found


def _taught(
    snapshot: Snapshot,
    lesson: ImageLesson,
    images: list[Pixels],
    settings: ImageSettings,
    seed: int,
    out: Path,
    tell: Tell,
    wanted: Callable[[], bool],
) -> dict[str, ImageNetwork]:
    """By fold the network that had not seen it, and ALL."""
    widths = [len(decision.classes) for decision in lesson.decisions]
    folds: list[int | None] = [*sorted(set(lesson.folds.tolist())), None]
    of_what = content_hash(
        {"snapshot": snapshot.hash, "settings": settings.as_dict(), "seed": seed, "version": VERSION}
    )
    found = {}
    for place, without in enumerate(folds):
        name = ALL if without is None else str(without)
        kept = _kept(_kept_at(out, name), of_what, settings.backbone, widths)
        if kept is None:
            kept = _teach(lesson, images, settings, seed, without, widths, tell, wanted, still=len(folds) - place - 1)
            _keep(kept, _kept_at(out, name), of_what)
        found[name] = kept
    return found


def _teach(
    lesson: ImageLesson,
    images: list[Pixels],
    settings: ImageSettings,
    seed: int,
    without: int | None,
    widths: list[int],
    tell: Tell,
    wanted: Callable[[], bool],
    *,
    still: int,
) -> ImageNetwork:
    told = np.unique(np.concatenate([lesson.of(decision)[0] for decision in lesson.decisions]))
    learns = np.isin(lesson.patient, told)
    if without is not None:
        learns &= lesson.folds[lesson.patient] != without
    rows = np.flatnonzero(learns)
    targets = []
    for decision in lesson.decisions:
        numbers, classes = lesson.of(decision)
        own: NDArray[np.int64] = np.full(len(lesson.patients), -1, dtype=np.int64)
        own[numbers] = classes
        targets.append(own)
    passes = passes_for(settings, len(rows))
    which = "all patients" if without is None else f"patients outside fold {without}, which judges it"
    _say(tell, f"Learns from {which}: {passes} passes over {len(rows)} images.")
    part = Lesson([images[row] for row in rows.tolist()], lesson.patient[rows], lesson.diagnoses, targets, widths)
    number = settings.folds if without is None else without
    return teach_network(part, settings, (seed, number), fold=without, tell=tell, wanted=wanted, still=still)


def _unseen(
    lesson: ImageLesson, images: list[Pixels], networks: dict[str, ImageNetwork]
) -> dict[str, NDArray[np.float64]]:
    """By decision the scores (p, K) of its patients by the network that had not seen them."""
    by_patient = {}
    for number in np.unique(np.concatenate([lesson.of(each)[0] for each in lesson.decisions])).tolist():
        own = [images[row] for row in np.flatnonzero(lesson.patient == number).tolist()]
        by_patient[number] = mean_scores(networks[str(lesson.folds[number])], own)
    return {
        decision.name: np.stack([by_patient[number][place] for number in lesson.of(decision)[0].tolist()])
        for place, decision in enumerate(lesson.decisions)
    }


def _kept_at(out: Path, name: str) -> Path:
    return out / f"network-{name}.safetensors"


def _keep(network: ImageNetwork, path: Path, of_what: str) -> None:
    """Whole or not at all, for a process that goes on after this one was killed."""
    part = path.with_name(f".{path.name}")
    save_tensors(network.to_tensors(), part, of=of_what)
    part.replace(path)


def _kept(path: Path, of_what: str, backbone: str, widths: list[int]) -> ImageNetwork | None:
    """What an earlier process of this very training has taught; None where there is nothing, or something else."""
    try:
        with safe_open(path, framework="numpy") as file:
            if (file.metadata() or {}).get("of") != of_what:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return ImageNetwork.from_tensors(backbone, widths, tensors)
    except (OSError, SafetensorError, RuntimeError, KeyError):
        return None


def _say(tell: Tell, sentence: str) -> None:
    tell({"event": "log", "message": sentence})
