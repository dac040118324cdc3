"""Every file ends in a correct image or in one clear sentence."""

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, TiffImagePlugin

from annotation.intake import CleanImage, IntakeError, clean_name, read_image

BUDGET = 10_000_000


def saved(image: Image.Image, format: str, **options: Any) -> io.BytesIO:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    stream.seek(0)
    return stream


def read(stream: Any) -> CleanImage:
    return read_image(stream, BUDGET)


def ramp(mode: str = "RGB") -> Image.Image:
    values = np.linspace(0, 255, 48 * 32).reshape(32, 48).astype(np.uint8)
    return Image.fromarray(np.stack([values, values[::-1], 255 - values], axis=-1)).convert(mode)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP"])
def test_lossless_kinds_keep_every_pixel(format: str) -> None:
    assert read(saved(ramp(), format)).pixels.tobytes() == ramp().tobytes()


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_lossy_kinds_are_taken(format: str) -> None:
    assert read(saved(ramp(), format)).pixels.size == (48, 32)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_tiff(compression: str) -> None:
    assert read(saved(ramp(), "TIFF", compression=compression)).pixels.tobytes() == ramp().tobytes()


@pytest.mark.parametrize(("mode", "format"), [("L", "PNG"), ("1", "PNG"), ("P", "PNG"), ("L", "TIFF"), ("1", "TIFF")])
def test_grey_and_palette_become_rgb(mode: str, format: str) -> None:
    image = ramp(mode)
    result = read(saved(image, format)).pixels
    assert result.mode == "RGB"
    assert result.tobytes() == image.convert("RGB").tobytes()


def test_cmyk_becomes_rgb() -> None:
    result = read(saved(ramp("CMYK"), "TIFF")).pixels
    assert np.abs(np.asarray(result).astype(int) - np.asarray(ramp()).astype(int)).max() <= 2
    assert read(saved(ramp("CMYK"), "JPEG", quality=95)).pixels.mode == "RGB"


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_is_white(mode: str) -> None:
    image = Image.new(mode, (4, 4), (200, 10, 10, 0) if mode == "RGBA" else (10, 0))
    assert set(read(saved(image, "PNG")).pixels.get_flattened_data()) == {(255, 255, 255)}


def test_transparent_palette_entry_is_white() -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 200, 0, 0])
    assert set(read(saved(image, "PNG", transparency=1)).pixels.get_flattened_data()) == {(255, 255, 255)}


@pytest.mark.parametrize("format", ["TIFF", "PNG"])
def test_16_bit_grey_is_scaled_from_its_full_range(format: str) -> None:
    values = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    pixels = np.asarray(read(saved(Image.fromarray(values), format)).pixels)
    assert pixels[0, :, 0].tolist() == [0, 1, 128, 255]


def test_12_bit_values_in_a_16_bit_file_that_says_so() -> None:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[281] = 4095
    values = np.array([[0, 4095]], dtype=np.uint16)
    assert np.asarray(read(saved(Image.fromarray(values), "TIFF", tiffinfo=info)).pixels)[0, :, 0].tolist() == [0, 255]


def test_16_bit_rgb_png() -> None:
    rows = b"\x00" + struct.pack(">6H", 65535, 0, 32896, 0, 65535, 257)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    assert list(read(io.BytesIO(data)).pixels.get_flattened_data()) == [(255, 0, 128), (0, 255, 1)]


def test_16_bit_rgb_tiff() -> None:
    values = np.zeros((2, 3, 3), np.uint16)
    values[..., 0], values[..., 1] = 65535, 32896
    body = values.astype("<u2").tobytes()
    tags = [(256, 3, 1, 3), (257, 3, 1, 2), (258, 3, 3, 0), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 1, 0)]
    tags += [(277, 3, 1, 3), (278, 3, 1, 2), (279, 4, 1, len(body))]
    after = 8 + 2 + 12 * len(tags) + 4
    places = {258: after, 273: after + 6}
    entries = b"".join(
        struct.pack("<HHI", tag, kind, count)
        + (struct.pack("<I", places.get(tag, value)) if kind == 4 or count > 2 else struct.pack("<HH", value, 0))
        for tag, kind, count, value in tags
    )
    head = b"II*\x00" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0)
    data = head + struct.pack("<3H", 16, 16, 16) + body
    assert set(read(io.BytesIO(data)).pixels.get_flattened_data()) == {(255, 128, 0)}


def test_floating_point_tiff() -> None:
    values = np.array([[0.0, 0.5, 1.0]], dtype=np.float32)
    assert np.asarray(read(saved(Image.fromarray(values), "TIFF")).pixels)[0, :, 0].tolist() == [0, 128, 255]
    with pytest.raises(IntakeError, match="below 0"):
        read(saved(Image.fromarray(values - 1), "TIFF"))


@pytest.mark.parametrize("format", ["JPEG", "TIFF", "PNG", "WEBP"])
def test_exif_rotation_is_applied(format: str) -> None:
    image = Image.new("RGB", (40, 20), "white")
    image.paste((200, 0, 0), (0, 0, 10, 20))
    exif = Image.Exif()
    exif[274] = 6  # Turn by 90° clockwise to see it upright.
    result = read(saved(image, format, exif=exif)).pixels
    assert result.size == (20, 40)
    assert np.asarray(result)[3, 10, 1] < 80 and np.asarray(result)[35, 10, 1] > 180


def test_metadata_does_not_follow() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Patient", "Erika Mustermann")
    assert read(saved(ramp(), "PNG", pnginfo=info)).pixels.info == {}
    exif = Image.Exif()
    exif[315] = "Erika Mustermann"
    assert read(saved(ramp(), "JPEG", exif=exif)).pixels.info == {}


def test_one_pixel_is_an_image() -> None:
    assert list(read(saved(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG")).pixels.get_flattened_data()) == [(1, 2, 3)]


def test_the_first_page_of_several_is_taken_and_said() -> None:
    pages = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    result = read(saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert set(result.pixels.get_flattened_data()) == {(255, 0, 0)}
    assert "2 pages" in result.notes[0]


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
def test_truncated(format: str) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    data = saved(noise, format).getvalue()
    for share in (0.02, 0.3, 0.7):
        with pytest.raises(IntakeError):
            read(io.BytesIO(data[: int(len(data) * share)]))


def test_text_named_jpg(tmp_path: Path) -> None:
    path = tmp_path / "smear.jpg"
    path.write_text("not an image")
    with pytest.raises(IntakeError, match="not an image"):
        read_image(path, BUDGET)


@pytest.mark.parametrize("format", ["GIF", "PPM", "ICO", "PDF", "EPS"])
def test_other_kinds_are_refused_whatever_their_name(format: str) -> None:
    with pytest.raises(IntakeError, match="kind that is accepted"):
        read(saved(ramp(), format))


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    bomb = saved(Image.new("1", (20_000, 20_000)), "PNG")
    assert len(bomb.getvalue()) < 100_000
    with pytest.raises(IntakeError, match=r"more .*than the budget"):
        read(bomb)
    with pytest.raises(IntakeError, match="20×20 pixels, more than the budget of 399"):
        read_image(saved(Image.new("RGB", (20, 20)), "PNG"), 399)
    assert read_image(saved(Image.new("RGB", (20, 20)), "PNG"), 400).pixels.size == (20, 20)


def test_empty_file() -> None:
    with pytest.raises(IntakeError, match="empty"):
        read(io.BytesIO(b""))


def test_a_pipe_and_a_folder_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", tmp_path):
        with pytest.raises(IntakeError, match="regular file"):
            read_image(path, BUDGET)
    with pytest.raises(IntakeError, match="cannot be read"):
        read_image(tmp_path / "absent.png", BUDGET)


def test_damaged_files_never_raise_anything_else() -> None:
    random = np.random.default_rng(3)
    for format in ("PNG", "JPEG", "TIFF", "BMP", "WEBP"):
        data = np.frombuffer(saved(ramp(), format).getvalue(), np.uint8)
        for _ in range(60):
            broken = data.copy()
            broken[random.integers(0, len(broken), 8)] = random.integers(0, 256, 8)
            try:
                read(io.BytesIO(broken.tobytes()))
            except IntakeError as fault:
                assert "\n" not in str(fault)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"resolution_unit": 3, "resolution": 10_000 / 0.25}, 0.25),
        ({"resolution_unit": 2, "resolution": 25_400 / 0.0668}, 0.0668),
        ({"resolution_unit": 2, "resolution": 300}, None),
        ({"resolution_unit": 1, "resolution": 4.0}, None),
        ({"resolution_unit": 1, "resolution": 4.0, "description": "ImageJ=1.54f\nunit=micron\n"}, 0.25),
        ({"description": '<OME><Pixels PhysicalSizeX="0.5" PhysicalSizeY="0.5"/></OME>'}, 0.5),
        ({"description": "Aperio Image |AppMag = 40|MPP = 0.2520"}, 0.252),
    ],
)
def test_scale_from_tiff(options: dict[str, Any], expected: float | None) -> None:
    assert read(saved(ramp(), "TIFF", **options)).um_per_pixel == (expected and pytest.approx(expected, rel=1e-3))


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_a_camera_s_dpi_is_no_scale(format: str) -> None:
    assert read(saved(ramp(), format, dpi=(300, 300))).um_per_pixel is None
    assert read(saved(ramp(), format, dpi=(25_400, 25_400))).um_per_pixel == pytest.approx(1.0, rel=1e-3)
    assert read(saved(ramp(), format, dpi=(25_400, 12_700))).um_per_pixel is None


def test_names() -> None:
    assert clean_name("Bild\x00 1\n.png") == "Bild 1.png"
    assert clean_name(os.fsdecode(b"caf\xe9.png")) == "caf\ufffd.png"
    for name in ("", "\x01", "x" * 1001):
        with pytest.raises(IntakeError):
            clean_name(name)
