"""A VIA 2 project, written: strictly the structure that VIA 2.0.10 itself writes, since it crashes on others.

Label groups become region attributes (radio or dropdown for one choice, checkbox for many); what else belongs to a
border or an image stands in text attributes whose names begin with "marrowloop_" (annotation/formats/via.py).
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from annotation.borders import Border
from annotation.formats.rows import CellRow, Group, ImageRow
from annotation.formats.via import (
    CONFIDENCE,
    DIAGNOSIS,
    IGNORED,
    IGNORED_CLASS,
    OWN_GROUP,
    PATIENT,
    STATE,
    TEXT,
    UM_PER_PIXEL,
    normal_id,
)

VERSION = "2.0.10"
# The size of the image file is not known any more; VIA itself writes -1 for that.
_SIZE = -1
_MOST_RADIO_BUTTONS = 5


class ViaScheme:
    """The study's label groups and texts as VIA's region attributes: ids that VIA can handle, one for each name."""

    def __init__(self, groups: Sequence[Group], texts: Sequence[str] = ()) -> None:
        self.groups = groups
        self.texts: dict[str, str] = {}
        for text in texts:
            self.texts[text] = _free(TEXT + normal_id(text), self.texts.values())
        self.ids: dict[str, str] = {}
        self.options: dict[str, dict[str, str]] = {}
        for group in groups:
            self.ids[group.name] = _free(normal_id(group.name), self.ids.values())
            options: dict[str, str] = {}
            for label in group.labels:
                options[label] = _free(normal_id(label), options.values())
            self.options[group.name] = options

    def attributes(self) -> dict[str, Any]:
        region: dict[str, Any] = {}
        for group in self.groups:
            kind = "radio" if len(group.labels) <= _MOST_RADIO_BUTTONS else "dropdown"
            region[self.ids[group.name]] = {
                "type": "checkbox" if group.multiple else kind,
                "description": OWN_GROUP + group.name,
                "options": {id_: label for label, id_ in self.options[group.name].items()},
                "default_options": {},
            }
        region[IGNORED] = {
            "type": "checkbox",
            "description": "a region that training neither rewards nor punishes",
            "options": {"yes": "ignored"},
            "default_options": {},
        }
        region[IGNORED_CLASS] = _text("what the ignored region holds")
        region[CONFIDENCE] = _text("how sure the annotator is of a label, 0 to 1")
        region |= {id_: _text(text) for text, id_ in self.texts.items()}
        file = {
            STATE: _text("state of the image: new, proposed, in_progress, annotated, reviewed"),
            PATIENT: _text("pseudonym of the patient"),
            DIAGNOSIS: _text("key of the study's diagnosis, or unknown"),
            UM_PER_PIXEL: _text("micrometres per pixel"),
        }
        return {"region": region, "file": file}

    def of(self, cell: CellRow) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for choice in cell.choices:
            ids = [self.options[choice.group][name] for name in choice.names]
            if ids:
                values[self.ids[choice.group]] = dict.fromkeys(ids, True) if choice.multiple else ids[0]
        sure = [f"{name}: {value:g}" for choice in cell.choices for name, value in choice.sure.items()]
        if sure:
            values[CONFIDENCE] = "; ".join(sure)
        values |= {self.texts[name]: text for name, text in cell.texts.items()}
        if cell.ignored:
            values[IGNORED] = {"yes": True}
            if cell.ignored_class:
                values[IGNORED_CLASS] = cell.ignored_class
        return values


def write(
    stream: TextIO, study: str, groups: Sequence[Group], images: Iterable[ImageRow], texts: Sequence[str] = ()
) -> None:
    """Write rows as one project, an image at a time. `texts` are the names of the study's text attributes."""
    scheme = ViaScheme(groups, texts)
    colour = next((scheme.ids[group.name] for group in groups if not group.multiple), "__via_default_region_color__")
    stream.write('{"_via_settings": ' + json.dumps(_settings(study, colour)) + ',\n"_via_img_metadata": {')
    keys: dict[str, None] = {}
    for row in images:
        stream.write(",\n" if keys else "\n")
        key = _free(f"{row.name}{_SIZE}", keys)
        keys[key] = None
        stream.write(json.dumps(key) + ": " + json.dumps(_entry(row, scheme)))
    stream.write('\n},\n"_via_attributes": ' + json.dumps(scheme.attributes()))
    stream.write(',\n"_via_data_format_version": ' + json.dumps(VERSION))
    stream.write(',\n"_via_image_id_list": ' + json.dumps(list(keys)) + "}\n")


def _entry(row: ImageRow, scheme: ViaScheme) -> dict[str, Any]:
    attributes = {STATE: row.state}
    if row.patient:
        attributes |= {PATIENT: row.patient, DIAGNOSIS: row.diagnosis or "unknown"}
    if row.um_per_pixel is not None:
        attributes[UM_PER_PIXEL] = repr(row.um_per_pixel)
    regions = [{"shape_attributes": _shape(cell.border), "region_attributes": scheme.of(cell)} for cell in row.cells]
    return {"filename": row.name, "size": _SIZE, "regions": regions, "file_attributes": attributes}


def _shape(border: Border) -> dict[str, Any]:
    kind = border["kind"]
    if kind == "polygon":
        xs, ys = ([point[axis] for point in border["points"]] for axis in (0, 1))
        return {"name": "polygon", "all_points_x": xs, "all_points_y": ys}
    shape = {key: value for key, value in border.items() if key != "kind"}
    return {"name": "rect" if kind == "rectangle" else kind, **shape}


def _text(description: str) -> dict[str, str]:
    return {"type": "text", "description": description, "default_value": ""}


def _free(wanted: str, taken: Iterable[str]) -> str:
    used = set(taken)
    number, free = 2, wanted
    while free in used:
        free, number = f"{wanted}_{number}", number + 1
    return free


def _settings(study: str, colour: str) -> Mapping[str, Any]:
    grid = {
        "img_height": 80,
        "rshape_fill": "none",
        "rshape_fill_opacity": 0.3,
        "rshape_stroke": "yellow",
        "rshape_stroke_width": 2,
        "show_region_shape": True,
        "show_image_policy": "all",
    }
    image = {
        "region_label": "__via_region_id__",
        "region_color": colour,
        "region_label_font": "10px Sans",
        "on_image_annotation_editor_placement": "NEAR_REGION",
    }
    return {
        "ui": {
            "annotation_editor_height": 25,
            "annotation_editor_fontsize": 0.8,
            "leftsidebar_width": 18,
            "image_grid": grid,
            "image": image,
        },
        "core": {"buffer_size": 18, "filepath": {}, "default_filepath": ""},
        "project": {"name": study},
    }
