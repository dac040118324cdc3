"""Files become images of a study: the one way in, for an upload in the browser and for a folder on the disk."""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db import transaction

from annotation.formats.records import Skipped
from annotation.intake import CleanImage, IntakeError, clean_name, read_image
from annotation.models import ImageName, Patient, SmearImage, Study
from annotation.store import ImageStore

STORED, DUPLICATE = "stored", "duplicate"


@dataclass(frozen=True)
class Taken:
    """What became of a file: its image, "stored" or "duplicate", and what else there is to say in short sentences."""

    image: SmearImage
    status: str
    notes: tuple[str, ...] = ()


def take_file(
    study: Study,
    source: Path | BinaryIO,
    name: str,
    *,
    um_per_pixel: float | None = None,
    patient: Patient | None = None,
    synthetic: bool = False,
) -> Taken:
    """Decode a file and make it an image of the study. Raises IntakeError for the file, OSError for the store.

    The same pixels are one image in a study: a file seen before under another name adds that name. `um_per_pixel`
    given here counts before what the file says, and that before the study's default. A patient given for an image
    that had none is kept from then on; another patient than before is not, because patients never cross a split.
    """
    clean_name(name)
    clean = read_image(source, settings.PIXEL_BUDGET)
    return take_image(study, clean, name, um_per_pixel=um_per_pixel, patient=patient, synthetic=synthetic)


def take_image(
    study: Study,
    clean: CleanImage,
    name: str,
    *,
    um_per_pixel: float | None = None,
    patient: Patient | None = None,
    synthetic: bool = False,
    single_cell: bool = False,
    sample: str = SmearImage.Sample.FIELD,
) -> Taken:
    """As take_file, of an image that is decoded already. One that was there before stays a single cell or a field."""
    name = clean_name(name)
    sha256 = ImageStore(settings.IMAGE_STORE).put(clean.pixels)
    with transaction.atomic():
        # The study's row serialises arrivals: no two images are dealt the same slot, none comes twice.
        study = Study.objects.select_for_update().get(pk=study.pk)
        image = SmearImage.objects.filter(study=study, sha256=sha256).first()
        if image is not None:
            notes = _known_again(image, name, um_per_pixel, patient)
            return Taken(image, DUPLICATE, (*clean.notes, *notes))
        scale, source_of_scale = _scale(study, um_per_pixel, clean.um_per_pixel)
        image = SmearImage.objects.create(
            study=study,
            patient=patient,
            sha256=sha256,
            width=clean.pixels.width,
            height=clean.pixels.height,
            um_per_pixel=scale,
            um_source=source_of_scale,
            fold=SmearImage.next_fold(study),
            synthetic=synthetic,
            single_cell=single_cell,
            sample=sample,
        )
        ImageName.objects.create(image=image, name=name)
    return Taken(image, STORED, clean.notes)


def _scale(study: Study, option: float | None, file: float | None) -> tuple[float | None, str]:
    sources = SmearImage.SizeSource
    if option is not None:
        return option, sources.OPTION
    if file is not None:
        return file, sources.METADATA
    if study.um_per_pixel is not None:
        return study.um_per_pixel, sources.STUDY
    return None, sources.UNKNOWN


def _known_again(image: SmearImage, name: str, um_per_pixel: float | None, patient: Patient | None) -> Iterator[str]:
    """Take what a second arrival adds to an image; yield what it does not."""
    ImageName.objects.get_or_create(image=image, name=name)
    changed = []
    if um_per_pixel is not None and um_per_pixel != image.um_per_pixel:
        image.um_per_pixel, image.um_source = um_per_pixel, SmearImage.SizeSource.OPTION
        changed += ["um_per_pixel", "um_source"]
    if patient is not None and image.patient_id is None:
        # From now on the patient's fold counts. Rounds that saw the image before know it by its hash, so one that
        # learned from it is still never judged on it.
        image.patient = patient
        changed.append("patient")
    elif patient is not None and image.patient_id != patient.pk:
        yield f"The image belongs to the patient {image.patient} already and stays there."
    if changed:
        image.save(update_fields=changed)


@dataclass(frozen=True)
class FoundFile:
    """A file to take, and its name relative to the folder that was given."""

    path: Path
    name: str


def find_files(root: Path, but: Collection[Path] = ()) -> tuple[list[FoundFile], list[Skipped], int]:
    """The files of a folder in depth, in name order; those that lead elsewhere; how many hidden ones were passed over.

    `but` are resolved paths of files that are no images: annotations, lists. Raises IntakeError where root is absent.
    """
    if not root.exists():
        raise IntakeError(f"There is no file or folder {root}.")
    if not root.is_dir():
        return [FoundFile(root, root.name)], [], 0
    inside = root.resolve()
    found: list[FoundFile] = []
    skipped: list[Skipped] = []
    hidden = 0

    def unreadable(fault: OSError) -> None:
        skipped.append(Skipped(_name(Path(fault.filename), root), f"The folder cannot be read: {fault.strerror}."))

    for folder, folders, files in os.walk(root, onerror=unreadable, followlinks=False):
        hidden += sum(name.startswith(".") for name in [*folders, *files])
        for name in [name for name in folders if not name.startswith(".")]:
            if (Path(folder) / name).is_symlink():
                skipped.append(Skipped(_name(Path(folder) / name, root), "Links to folders are not followed."))
        folders[:] = [name for name in folders if not name.startswith(".")]
        for file in (Path(folder) / name for name in files if not name.startswith(".")):
            if file.is_symlink() and not file.resolve().is_relative_to(inside):
                skipped.append(Skipped(_name(file, root), "It is a link that leads out of the folder."))
            elif file.resolve() not in but:
                found.append(FoundFile(file, _name(file, root)))
    return sorted(found, key=lambda file: file.name), skipped, hidden


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "replace")
