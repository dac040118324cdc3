"""Ways to compute the detector's backbone against eager PyTorch: time of a pass, and whether borders stay the same.

Run: python -m tests.benchmarks.inference_paths BUNDLE_FOLDER IMAGE... [--repeats 15]
torch.compile needs a C++ compiler; ONNX Runtime and OpenVINO need `onnxruntime`, `onnx`, `onnxscript` and `openvino`,
which the product does without: what is not installed is named in "missing". The paths take turns, image by image, so
that a machine's moods meet all of them alike. Only the backbone (body and pyramid) goes another way: the rest of
torchvision's detector chooses among boxes, whose number differs from field to field.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from inference.detection import Detector
from tests.benchmarks.product import report
from training.backbone import LEVELS

NAMES = [*map(str, range(LEVELS)), "pool"]
Path_ = Callable[[Tensor], dict[str, Tensor]]


class Flat(nn.Module):
    """The backbone with its maps as a tuple, as exporters want them."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.backbone(images).values())


def compiled(backbone: nn.Module, shape: Tensor) -> Path_:
    # Not the module: calling that would call whatever path has taken its forward's place.
    fast: Path_ = torch.compile(backbone.forward)
    fast(shape)
    return fast


def exported(backbone: nn.Module, shape: Tensor, folder: Path) -> Path:
    file = folder / "backbone.onnx"
    torch.onnx.export(Flat(backbone).eval(), (shape,), str(file), dynamo=True, output_names=NAMES)
    return file


def onnx_runtime(backbone: nn.Module, shape: Tensor, folder: Path) -> Path_:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(exported(backbone, shape, folder)), options)
    name = session.get_inputs()[0].name

    def run(images: Tensor) -> dict[str, Tensor]:
        maps = session.run(None, {name: images.contiguous().numpy()})
        return {key: torch.from_numpy(value) for key, value in zip(NAMES, maps, strict=True)}

    return run


def openvino(backbone: nn.Module, shape: Tensor, folder: Path) -> Path_:
    import openvino as ov

    # Its own default on a CPU that has it is bfloat16: other borders.
    exact = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    network = ov.Core().compile_model(str(exported(backbone, shape, folder)), "CPU", exact)

    def run(images: Tensor) -> dict[str, Tensor]:
        maps = network(images.contiguous().numpy())
        return {key: torch.from_numpy(maps[at].copy()) for at, key in enumerate(NAMES)}

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    detector = Detector.load(options.bundle)
    fields = [Image.open(path).convert("RGB") for path in options.images]
    model = detector._model
    backbone, plain = model.backbone, model.backbone.forward
    seen: list[Tensor] = []

    def watched(images: Tensor) -> dict[str, Tensor]:
        seen.append(images)
        maps: dict[str, Tensor] = plain(images)
        return maps

    backbone.__dict__["forward"] = watched
    detector.find(fields[0])
    shape = seen[0].clone()
    del backbone.__dict__["forward"]
    paths: dict[str, Path_] = {"eager": plain}
    missing: dict[str, str] = {}
    prepared: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as made, torch.inference_mode():
        ways: dict[str, Callable[[], Path_]] = {
            "torch.compile": lambda: compiled(backbone, shape),
            "onnxruntime": lambda: onnx_runtime(backbone, shape, Path(made)),
            "openvino": lambda: openvino(backbone, shape, Path(made)),
        }
        for name, prepare in ways.items():
            started = time.perf_counter()
            try:
                paths[name] = prepare()
            except Exception as problem:
                missing[name] = f"{type(problem).__name__}: {problem}"[:300]
                continue
            prepared[name] = time.perf_counter() - started
        rows = _measured(detector, backbone, paths, fields, shape, options.repeats)
    for name, seconds in prepared.items():
        rows[name]["seconds_to_prepare"] = seconds
    report("inference_paths", paths=rows, missing=missing, pixels=list(shape.shape), threads=torch.get_num_threads())


def _measured(
    detector: Detector, backbone: nn.Module, paths: dict[str, Path_], fields: list[Any], shape: Tensor, repeats: int
) -> dict[str, dict[str, float]]:
    backbones: dict[str, list[float]] = {name: [] for name in paths}
    wholes: dict[str, list[float]] = {name: [] for name in paths}
    found: dict[str, str] = {}
    off: dict[str, float] = {}
    for repeat in range(repeats + 1):
        for name, path in paths.items():
            started = time.perf_counter()
            path(shape)
            backbones[name].append(time.perf_counter() - started)
            # Past Module's own attributes, which take no module for a method.
            backbone.__dict__["forward"] = path
            started = time.perf_counter()
            proposals = [detector.propose(field) for field in fields]
            wholes[name].append((time.perf_counter() - started) / len(fields))
            if repeat == 0:
                found[name] = json.dumps([[p["border"] for p in each if p["score"] >= 0.5] for each in proposals])
                maps, ours = path(shape), paths["eager"](shape)
                off[name] = max(float((maps[key] - ours[key]).abs().max()) for key in NAMES)
    eager = statistics.median(wholes["eager"][1:])
    return {
        name: {
            "backbone_ms": 1000 * statistics.median(backbones[name][1:]),
            "field_ms": 1000 * statistics.median(wholes[name][1:]),
            "times_as_fast": eager / statistics.median(wholes[name][1:]),
            "most_off_in_a_map": off[name],
            "same_borders": found[name] == found["eager"],
        }
        for name in paths
    }


if __name__ == "__main__":
    main()
