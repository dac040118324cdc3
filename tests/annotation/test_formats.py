"""Readers of annotation files: what they take, what they report, and that nothing is lost between."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from annotation.formats.detect import detect, read_records
from annotation.formats.matching import ImageNames, match
from annotation.formats.records import FormatError, ImageRecord, Records, Region, Selection, place
from annotation.formats.truth import read_truth

RECT = {"name": "rect", "x": 1, "y": 2, "width": 10, "height": 12}
SIZES = {"a.jpg": (100, 80), "b.jpg": (100, 80)}


def via_entry(name: str, *regions: Any, **extra: Any) -> dict[str, Any]:
    return {"filename": name, "size": -1, "regions": list(regions), "file_attributes": {}, **extra}


def region(shape: Any = None, **attributes: Any) -> dict[str, Any]:
    return {"shape_attributes": RECT if shape is None else shape, "region_attributes": attributes}


def written(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def truth(path: Path, format: str = "auto", **options: Any) -> Any:
    options = {"class_names": None, "class_attribute": None, "classes": None, "ignore": ()} | options
    sizes = options.pop("image_sizes", SIZES)
    return read_truth(path, format, image_sizes=sizes, **options)


def reasons(records: Records) -> list[str]:
    return [s.reason for s in records.skipped] + [s.reason for image in records.images for s in image.skipped]


def test_readers_know_no_django() -> None:
    code = "import sys, annotation.formats.truth, annotation.formats.via_project; assert 'django' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0


# --- VIA ---


@pytest.mark.parametrize(
    ("name", "images", "regions"),
    [
        ("min20120907_MaskRCNN-w-cell_via1_cells.json", 15, 181),
        ("oxvgg_demo_basic_annotations_json.json", 2, 4),
        ("oxvgg_demo_basic_csv_annotations.csv", 2, 4),
        ("oxvgg_demo_face_annotations.csv", 4, 9),
        ("oxvgg_demo_face_json_annotations.json", 4, 9),
        ("oxvgg_via-1.x.y_tests_data_unit_test_annotation1.csv", 3, 12),
        ("oxvgg_via-1.x.y_tests_data_unit_test_annotation2.json", 3, 12),
        ("oxvgg_via-2.x.y_data_face_track_annotation_sherlock_ep01_tracks_FRCNN.csv", 266, 427),
        ("oxvgg_via-2.x.y_data_face_track_annotation_sherlock_ep01_tracks_FRCNN.json", 266, 427),
    ],
)
def test_via_s_own_files(shared_data: Path, name: str, images: int, regions: int) -> None:
    records = read_records(shared_data / "via" / name)
    assert records.format == "via"
    assert len(records.images) == images
    assert sum(len(image.regions) for image in records.images) == regions
    assert reasons(records) == []
    kinds = [region.border["kind"] for image in records.images for region in image.regions]
    assert kinds.count("point") == (5 if "unit_test" in name else 0)


def test_via_attribute_files_hold_no_regions(shared_data: Path) -> None:
    for name in ("oxvgg_demo_basic_attributes_json.json", "oxvgg_demo_face_attributes_json.json"):
        with pytest.raises(FormatError, match="neither COCO nor VIA"):
            read_records(shared_data / "via" / name)


def test_marrow_fields(shared_data: Path) -> None:
    folder = shared_data / "marrow-fields"
    sizes = {path.name: (2040, 1536) for path in (folder / "images").iterdir()}
    options = {"classes": ["cell"], "ignore": ["edge", "smudge", "uncertain"], "image_sizes": sizes}
    found = truth(folder / "via_project.json", "via", class_attribute="kind", **options)
    cells = [cell for cells in found.images.values() for cell in cells]
    assert (len(found.images), len(cells), sum(cell.ignored for cell in cells)) == (17, 393, 106)
    assert found.skipped == [] and found.left_out == 0
    assert found == truth(folder / "via_project.json", **options), "the only attribute is the class"


def test_via_traps(tmp_path: Path) -> None:
    project = {
        "_via_settings": {},
        "_via_img_metadata": {
            "a.jpg-1": via_entry(
                "a.jpg",
                region({"name": "rect", "x": "1", "y": "2", "width": "10", "height": "12"}, kind="cell"),
                None,
                region({"name": "point", "cx": 3, "cy": 3}),
                region({"name": "polyline", "all_points_x": [0, 9, 9], "all_points_y": [0, 0, 9]}),
                region({"name": "polyline", "all_points_x": [0, 9, 9, 0], "all_points_y": [0, 0, 9, 0]}, kind="cell"),
                region({"name": "polygon", "all_points_x": [0, 9], "all_points_y": [0, 0, 9]}),
                region({"name": "ellipse", "cx": 30, "cy": 30, "rx": 5, "ry": 6}, kind="cell"),
                region({"name": "circle", "cx": 30, "cy": 30, "r": 1e400}),
                region({}),
                {"region_attributes": {}},
            ),
            "0": via_entry("b.jpg"),
            "broken": {"filename": "c.jpg"},
            "nothing": None,
            "nameless": {"regions": []},
        },
        "_via_attributes": {"region": {"kind": {"type": "radio", "options": {"cell": "x"}}}, "file": {}},
        "_via_image_id_list": ["a.jpg-1", "gone.jpg-1", "0"],
    }
    records = read_records(written(tmp_path, "coco.json", project))
    assert [image.name for image in records.images] == ["a.jpg", "b.jpg", "c.jpg"]
    kinds = [region.border["kind"] for region in records.images[0].regions]
    assert kinds == ["rectangle", "point", "polygon", "ellipse"]
    assert records.images[0].regions[0].border["width"] == 10
    assert [skipped.reason for skipped in records.images[0].skipped] == [
        "Region 1: The region is null.",
        "Region 3: An open line is not a border.",
        "Region 5: It has 2 x and 3 y coordinates.",
        "Region 7: Its r must be a finite number, not inf.",
        "Region 8: The region has no shape.",
        "Region 9: The region has no shape.",
    ]
    assert {skipped.name for skipped in records.skipped} == {"gone.jpg-1", "nothing", "nameless"}
    assert not records.images[1].skipped and records.images[2].skipped


def test_a_name_with_a_comma_breaks_via_s_csv_but_not_the_reader(tmp_path: Path) -> None:
    shape = '"{""name"":""circle"",""cx"":9,""cy"":9,""r"":4}"'
    header = "#filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
    rows = [f'a, b.jpg,12,"{{}}",1,0,{shape},"{{}}"', 'b.jpg,12,"{}",0,0,"{}","{}"', 'c.jpg,12,"{}",1,0,"{","{}"', "d"]
    text = header + "\n".join(rows)
    records = read_records(written(tmp_path, "x.csv", text))
    assert [(image.name, len(image.regions)) for image in records.images] == [
        ("a, b.jpg", 1),
        ("b.jpg", 0),
        ("c.jpg", 0),
    ]
    assert len(reasons(records)) == 2


def test_several_attributes_need_a_name(tmp_path: Path) -> None:
    path = written(tmp_path, "v.json", {"a.jpg-1": via_entry("a.jpg", region(kind="cell", colour="blue"))})
    with pytest.raises(FormatError, match=r"colour, kind.*--class-attribute"):
        truth(path, classes=["cell"])
    assert len(truth(path, class_attribute="kind", classes=["cell"]).images["a.jpg"]) == 1
    with pytest.raises(FormatError, match="no region attribute 'size'"):
        truth(path, class_attribute="size")


def test_a_class_is_picked_by_id_or_label(tmp_path: Path) -> None:
    definition = {"kind": {"type": "dropdown", "options": {"1": "Blast", "2": "Smudge"}}}
    project = {
        "_via_img_metadata": {"a": via_entry("a.jpg", region(kind="1"), region({**RECT, "x": 30}, kind="2"))},
        "_via_attributes": {"region": definition, "file": {}},
    }
    path = written(tmp_path, "v.json", project)
    for names in (["blast"], ["1"]):
        found = truth(path, classes=names)
        assert len(found.images["a.jpg"]) == 1 and found.left_out == 1


# --- COCO ---


def coco(*annotations: dict[str, Any]) -> dict[str, Any]:
    images = [{"id": 1, "file_name": "a.jpg", "width": 100, "height": 80}, {"id": 2, "file_name": "b.jpg"}]
    return {
        "images": images,
        "annotations": [{"id": i, "image_id": 1, "category_id": 1, **a} for i, a in enumerate(annotations)],
        "categories": [{"id": 1, "name": "WBC"}, {"id": 2, "name": "RBC"}],
    }


def test_coco(tmp_path: Path) -> None:
    document = coco(
        {"bbox": [1, 2, 10, 12]},
        {"segmentation": [[0, 0, 9, 0, 9, 9], [20, 20, 60, 20, 60, 60]]},
        {"segmentation": [5, 5, 15, 5, 15, 15], "image_id": "1"},
        {"segmentation": {"counts": "abc", "size": [80, 100]}},
        {"segmentation": {"counts": [1], "size": [80, 100]}, "bbox": [50, 50, 20, 20], "iscrowd": 1},
        {"bbox": [1, 2, 0, 12]},
        {"bbox": [1, 2, 3]},
        {"category_id": 7, "bbox": [1, 2, 3, 4]},
        {"image_id": 9, "bbox": [1, 2, 3, 4]},
        {"category_id": 2, "bbox": [1, 2, 3, 4]},
        {},
    )
    found = truth(written(tmp_path, "c.json", document), classes=["WBC"])
    assert [cell.border["kind"] for cell in found.images["a.jpg"]] == ["rectangle", "polygon", "polygon", "rectangle"]
    assert found.images["a.jpg"][1].border["points"][0] == [20, 20]
    assert [cell.ignored for cell in found.images["a.jpg"]] == [False, False, False, True]
    assert found.images["b.jpg"] == [] and found.left_out == 1
    assert len(found.skipped) == 6


def test_another_size_than_stated_is_reported(tmp_path: Path) -> None:
    found = truth(written(tmp_path, "c.json", coco({"bbox": [1, 2, 3, 4]})), image_sizes={"a.jpg": (50, 40)})
    assert found.images == {} and "100×80" in found.skipped[1].reason


# --- YOLO ---


def test_yolo(tmp_path: Path) -> None:
    written(tmp_path, "labels/a.txt", "0 0.5 0.5 0.2 0.25\n1 0.1 0.1 0.1 0.1\n2 0.1 0.1 0.1 0.1\nx\n0 0.5 0.5 0 0.1\n")
    written(tmp_path, "labels/b.txt", "")
    written(tmp_path, "classes.txt", "WBC\nRBC\n\n")
    found = truth(tmp_path / "labels", "yolo", classes=["wbc"], ignore=["RBC"])
    assert [cell.border for cell in found.images["a.jpg"]] == [
        {"kind": "rectangle", "x": 40, "y": 30, "width": 20, "height": 20},
        {"kind": "rectangle", "x": 5, "y": 4, "width": 10, "height": 8},
    ]
    assert [cell.ignored for cell in found.images["a.jpg"]] == [False, True]
    assert found.images["b.jpg"] == []
    assert [s.reason.split(":")[0] for s in found.skipped] == ["Line 3", "Line 4", "Line 5"]
    assert "classes.txt" in found.notes[0]


def test_yolo_without_names_is_picked_by_index(tmp_path: Path) -> None:
    written(tmp_path, "a.txt", "3 0.5 0.5 0.2 0.2\n4 0.2 0.2 0.1 0.1\n0 0.1 0.1 0.5 0.1 0.5 0.5\n")
    found = truth(tmp_path, "yolo", classes=["3", "0"])
    assert [cell.border["kind"] for cell in found.images["a.jpg"]] == ["rectangle", "polygon"]
    assert found.left_out == 1
    assert "b.jpg" not in found.images, "an image without a file is not annotated"


# --- VOC ---

VOC = """<annotation><filename>{name}</filename><size><width>{size}</width><height>80</height></size>
<object><name>WBC</name><difficult>1</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>11</xmax><ymax>14</ymax></bndbox></object>
<object><name>WBC</name></object><object><name>WBC</name><bndbox><xmin>9</xmin><ymin>2</ymin><xmax>1</xmax><ymax>4</ymax></bndbox></object>
</annotation>"""


def test_voc(tmp_path: Path) -> None:
    written(tmp_path, "a.xml", VOC.format(name="other.png", size=100))
    written(tmp_path, "moved.xml", VOC.format(name="C:\\data\\b.jpg", size=0))
    written(tmp_path, "bomb.xml", '<!DOCTYPE x [<!ENTITY a "b">]><annotation/>')
    written(tmp_path, "torn.xml", "<annotation>")
    found = truth(tmp_path)
    assert {name: len(cells) for name, cells in found.images.items()} == {"a.jpg": 1, "b.jpg": 1}
    assert found.images["a.jpg"][0].border == {"kind": "rectangle", "x": 1, "y": 2, "width": 10, "height": 12}
    assert len(found.skipped) == 6


# --- which image, which format, which class ---


def test_names() -> None:
    names = ImageNames(["one/a.jpg", "two/a.jpg", "two/b.jpg", "c.jpg", "café.jpg"])

    def found(*records: str, stem: bool = False) -> tuple[dict[str, str], int]:
        pairs, skipped = match([ImageRecord(name, stem=stem) for name in records], names)
        return {record.name: image for record, image in pairs}, len(skipped)

    assert found("one/a.jpg", "b.jpg", "x\\c.jpg") == (
        {"one/a.jpg": "one/a.jpg", "b.jpg": "two/b.jpg", "x\\c.jpg": "c.jpg"},
        0,
    )
    assert found("./c.jpg", "a.jpg", "z.jpg") == ({"./c.jpg": "c.jpg"}, 2)
    assert found("x/c.jpg", "y/c.jpg") == ({}, 2), "two that share only the file name"
    assert found("c.jpg", "y/c.jpg") == ({"c.jpg": "c.jpg"}, 1)
    assert found("cafe\u0301.jpg") == ({"cafe\u0301.jpg": "café.jpg"}, 0)
    assert found("two/b", stem=True) == ({"two/b": "two/b.jpg"}, 0)


def test_formats_are_told_by_content(tmp_path: Path) -> None:
    assert detect(written(tmp_path, "via_project.json", coco())) == "coco"
    assert detect(written(tmp_path, "coco.json", {"a.jpg-1": via_entry("a.jpg")})) == "via"
    assert detect(written(tmp_path, "labels/a.txt", "")) == "yolo"
    assert detect(written(tmp_path, "xml/a.xml", "<annotation/>").parent) == "voc"
    for name, content in (("x.json", "{"), ("y.json", "[1]"), ("z.txt", "hello"), ("d.json", "[" * 100_000)):
        with pytest.raises(FormatError):
            read_records(written(tmp_path, name, content))
    (tmp_path / "b.bin").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FormatError, match="UTF-8"):
        read_records(tmp_path / "b.bin")
    with pytest.raises(FormatError, match="no annotation source"):
        read_records(tmp_path / "absent.json")


def test_the_same_border_twice_is_reported() -> None:
    twice = Region("Region 0", {"kind": "circle", "cx": 5, "cy": 5, "r": 3})
    placed = place(ImageRecord("a.jpg", regions=[twice, twice]), 100, 80, Selection())
    assert len(placed.regions) == 1 and "already" in placed.skipped[0].reason


def test_a_misspelt_class_stops_and_a_region_without_one_is_reported(tmp_path: Path) -> None:
    path = written(tmp_path, "v.json", {"a": via_entry("a.jpg", region(kind="cell"), region({**RECT, "x": 40}))})
    with pytest.raises(FormatError, match="none of the classes cel; it has cell"):
        truth(path, classes=["cel"])
    found = truth(path, classes=["cell"], ignore=["smudge"])
    assert len(found.images["a.jpg"]) == 1 and "names no class" in found.skipped[0].reason
    assert found.notes == ["The source has no class smudge."]
