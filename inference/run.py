"""`python -m inference.run BUNDLE IMAGES... OUT`: write Predictions for image files, with no Django in the process.

IMAGES are files or folders (searched in depth, in name order). A file that is no image is reported on stderr and
left out; the rest goes on. One JSON line last on stdout.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from annotation.store import pixel_hash
from inference.predictions import write_predictions
from training.contract import ContractError

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp"}


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        from inference.detection import Detector

        detector = Detector.load(options.bundle)
        files = list(image_files(options.images))
        images, skipped, seconds = [], 0, 0.0
        for name, path in files:
            try:
                with Image.open(path) as file:
                    image = ImageOps.exif_transpose(file).convert("RGB")
            except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as problem:
                print(f"{name}: {problem}", file=sys.stderr)
                skipped += 1
                continue
            images.append(predict(detector, image, name))
            seconds += images[-1]["seconds"]
        if not images:
            raise ContractError("There is no image to predict on.")
        bundle = {"id": detector.id, "kind": "detector", "score_threshold": detector.score_threshold}
        write_predictions(options.out, [bundle], images)
    except (ContractError, OSError) as problem:
        print(problem, file=sys.stderr)
        return 1
    summary = {
        "images": len(images),
        "proposals": sum(len(image["proposals"]) for image in images),
        "skipped": skipped,
        "seconds_per_image": round(seconds / len(images), 3),
        "bundle": detector.id,
    }
    print(json.dumps(summary))
    return 0


def predict(detector: Any, image: Image.Image, name: str) -> dict[str, Any]:
    """One image's entry of Predictions."""
    started = time.perf_counter()
    proposals = detector.propose(image)
    return {
        "sha256": pixel_hash(image),
        "name": name,
        "width": image.width,
        "height": image.height,
        "seconds": round(time.perf_counter() - started, 4),
        "proposals": proposals,
    }


def image_files(places: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    """(name, path) of every image file: a folder's names are relative to it. Raises ContractError for no such place."""
    for place in places:
        if place.is_dir():
            for path in sorted(place.rglob("*")):
                if path.is_file() and path.suffix.lower() in SUFFIXES:
                    yield path.relative_to(place).as_posix(), path
        elif place.is_file():
            yield place.name, place
        else:
            raise ContractError(f"There is no image file or folder {place}.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inference.run", description="Propose borders on image files.")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder of a bundle")
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGES", help="image files or folders")
    parser.add_argument("out", type=Path, metavar="OUT", help="Predictions file to write")
    return parser


if __name__ == "__main__":
    sys.exit(main())
