"""The case report as a PDF of A4 pages: the same content as on the screen, and on each page what it is not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Image, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from annotation.crop import CROP
from inference.kept_crops import crops

_INK, _MUTED, _LINE = colors.HexColor("#1a2530"), colors.HexColor("#55636f"), colors.HexColor("#d5dce3")
_BODY = ParagraphStyle("body", fontName="Helvetica", fontSize=9.5, leading=13, textColor=_INK)
_SMALL = ParagraphStyle("small", parent=_BODY, fontSize=8, leading=10.5, textColor=_MUTED)
_CELL = ParagraphStyle("cell", parent=_BODY, fontSize=9, leading=11)
_NUMBER = ParagraphStyle("number", parent=_CELL, alignment=2)
_TITLE = ParagraphStyle("title", parent=_BODY, fontName="Helvetica-Bold", fontSize=17, leading=21)
_HEAD = ParagraphStyle("head", parent=_BODY, fontName="Helvetica-Bold", fontSize=11.5, leading=15, spaceBefore=10)
_MARGIN = 18 * mm
_WIDTH = A4[0] - 2 * _MARGIN
_PICTURE = 27 * mm


@dataclass(frozen=True)
class Signatures:
    """Lines about who signed or withdrew it, as people read them, and the hash of what was signed; both empty of a
    draft."""

    lines: Sequence[str] = ()
    content_hash: str = ""
    withdrawn: bool = False


def case_report_pdf(content: dict[str, Any], signatures: Signatures) -> bytes:
    """PDF of a report's content (case_report.case_content). Pictures of cells that are gone from the store are left
    out, and said."""
    file = BytesIO()
    title = f"Case report {content['case']['title']}"
    document = SimpleDocTemplate(
        file,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=16 * mm,
        bottomMargin=22 * mm,
        title=_plain(title),
        author="Marrowloop",
        subject=content["notice"],
    )
    foot = _Foot(content, signatures)
    document.build([*_head(content, signatures), *_body(content)], onFirstPage=foot, onLaterPages=foot)
    return file.getvalue()


class _Foot:
    """At the foot of each page: the notice, what it is of, and the page's number."""

    def __init__(self, content: dict[str, Any], signatures: Signatures) -> None:
        self.notice = content["notice"]
        self.of = f"{content['study']['name']} · {content['case']['title']}"
        if signatures.withdrawn:
            self.state = "WITHDRAWN"
        else:
            self.state = f"Signed, {signatures.content_hash[:16]}" if signatures.content_hash else "DRAFT, not signed"

    def __call__(self, canvas: Canvas, document: Any) -> None:
        canvas.saveState()
        canvas.setStrokeColor(_LINE)
        canvas.line(_MARGIN, 16 * mm, A4[0] - _MARGIN, 16 * mm)
        canvas.setFillColor(_INK)
        canvas.setFont("Helvetica-Bold", 8.5)
        canvas.drawString(_MARGIN, 11.5 * mm, self.notice)
        canvas.setFillColor(_MUTED)
        canvas.setFont("Helvetica", 8)
        canvas.drawString(_MARGIN, 7.5 * mm, _plain(f"{self.of} · {self.state}"))
        canvas.drawRightString(A4[0] - _MARGIN, 11.5 * mm, f"Page {document.page}")
        canvas.restoreState()


def _plain(text: str) -> str:
    """What the fonts that every reader of PDF has can show."""
    return text.encode("cp1252", "replace").decode("cp1252")


def _text(text: str, style: ParagraphStyle = _BODY) -> Paragraph:
    escaped = _plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Paragraph(escaped.replace("\n", "<br/>"), style)


def _head(content: dict[str, Any], signatures: Signatures) -> list[Flowable]:
    case = content["case"]
    kind = "Patient" if case["kind"] == "patient" else "Image"
    parts: list[Flowable] = [
        _text(f"Case report: {kind.lower()} {case['title']}", _TITLE),
        _text(f"{content['notice']} Study {content['study']['name']}.", _SMALL),
    ]
    if content["study"]["synthetic"]:
        parts.append(_text("Synthetic images: of no patient.", _SMALL))
    parts.append(Spacer(1, 4 * mm))
    parts += [_text(line) for line in signatures.lines or ("Draft: nobody has signed this report.",)]
    if signatures.content_hash:
        parts.append(_text(f"SHA-256 of what was signed: {signatures.content_hash}", _SMALL))
    return parts


def _body(content: dict[str, Any]) -> list[Flowable]:
    return [
        *_diagnosis(content),
        *_differential(content),
        *_images(content),
        *_cells(content["cells"]),
    ]


def _diagnosis(content: dict[str, Any]) -> list[Flowable]:
    found = content["diagnosis"]
    parts: list[Flowable] = [_text("Suspected diagnosis", _HEAD)]
    if found.get("suspected"):
        parts.append(_text(found["suspected"]))
    if found.get("reason"):
        parts.append(_text(found["reason"]))
    parts.append(_text(f"Diagnosis on record: {content['case']['recorded_diagnosis']}.", _SMALL))
    rows = []
    for each in found.get("decisions", ()):
        model = f"{each['model']}, never saw the patient" if each["unseen"] else each["model"]
        line = (each["decision"], _CELL), (model, _CELL), (_chances(each), _NUMBER), (each["says"], _CELL)
        rows.append([_text(text, style) for text, style in line])
    if rows:
        parts.append(_table(["Decision", "Model", "Probability", "Says"], rows, (50, 46, 34, 44)))
    ratios = [
        [_text(each["name"], _CELL), _text(each.get("left_out") or _share(each), _CELL)]
        for each in found.get("ratios", ())
    ]
    if ratios:
        parts += [Spacer(1, 2 * mm), _table(["Ratio", "Share of viable nucleated cells"], ratios, (50, 124))]
    if found.get("disagreement"):
        parts.append(_text(found["disagreement"]))
    for bundle in found.get("bundles", ()):
        parts.append(_text(f"Bundle {bundle['id']} ({bundle['kind']}): {bundle['validated']}", _SMALL))
    return parts


def _chances(each: Mapping[str, Any]) -> str:
    """The probability of the first diagnosis; of three or more each, on a line of its own."""
    threshold = f"(from {each['threshold']:.2f})"
    several = each.get("probabilities") or []
    if len(several) <= 2:
        return f"{each['probability']:.2f} {threshold}"
    lines = [f"{one['name']} {one['value']:.2f}" for one in several]
    return "\n".join([f"{lines[0]} {threshold}", *lines[1:]])


def _share(each: dict[str, Any]) -> str:
    return f"{each['value']:.1%} ({each['low']:.1%} to {each['high']:.1%})"


def _differential(content: dict[str, Any]) -> list[Flowable]:
    found, counter = content["differential"], content["counter"]
    rows = [
        [_text(row["name"], _CELL), _text(f"{row['cells']:,}", _NUMBER), _text(f"{row['share']:.1%}", _NUMBER),
         _text(f"{row['low']:.1%} to {row['high']:.1%}", _NUMBER)]
        for row in found["rows"]
    ]  # fmt: skip
    counted = f"{counter['counted']:,} of {counter['goal']} cells counted"
    counted += f", {counter['left']:,} to go." if counter["left"] else "."
    ratio = found["me_ratio"]
    if ratio is None:
        words = f"No M:E ratio: {found['erythroid']:,} erythroid cells are too few."
    else:
        high = "no upper end" if ratio[2] is None else f"{ratio[2]:.1f}"
        words = f"M:E ratio {ratio[0]:.1f} ({ratio[1]:.1f} to {high}): {found['myeloid']:,} to {found['erythroid']:,}."
    beside = f"Not counted: {found['left_out']:,} smudge cells, artefacts and others; "
    beside += f"{found['unidentified']:,} unidentified; {found['unlabelled']:,} without a type."
    return [
        _text("Differential count", _HEAD),
        _text(f"{counted} {words}"),
        *(_text(f"Note: {each}") for each in content["warnings"]),
        Spacer(1, 2 * mm),
        _table(["Cell type", "Cells", "Share", "95 % interval"], rows, (84, 25, 25, 40)),
        _text(f"{beside} Intervals are Wilson's.", _SMALL),
        *(_text(each, _SMALL) for each in content["review"]["open"]),
    ]


def _images(content: dict[str, Any]) -> list[Flowable]:
    rows = []
    for image in content["images"]:
        quality = image["quality"]
        outside = (
            image["outside"] and f"{image['outside']:,} cells lie where it is too dense, too thin or out of focus."
        )
        remarks = (image["left_out"], "Not judged." if quality is None else quality["reason"], outside)
        remark = " ".join(filter(None, remarks))
        rows.append(
            [_text(image["name"], _CELL), _text(image["state"], _CELL), _text(f"{image['counted']:,}", _NUMBER),
             _text(remark, _SMALL)]
        )  # fmt: skip
    return [_text("Images", _HEAD), _table(["Image", "State", "Counted", "Remarks"], rows, (60, 24, 20, 70))]


def _cells(shown: Sequence[dict[str, Any]]) -> list[Flowable]:
    parts: list[Flowable] = []
    for role in dict.fromkeys(each["role_name"] for each in shown):
        own = [each for each in shown if each["role_name"] == role]
        pictures = [picture for each in own if (picture := _picture(each)) is not None]
        head = _text(f"{role}: {len(own)} of {own[0]['of']:,}", _HEAD)
        if not pictures:
            parts += [head, _text("Their images are gone from the server.", _SMALL)]
            continue
        lines = [pictures[start : start + 6] for start in range(0, len(pictures), 6)]
        lines[-1] += [""] * (6 - len(lines[-1])) if len(lines) > 1 else []
        table = Table(lines, colWidths=[_PICTURE + 2 * mm] * len(lines[0]), hAlign="LEFT")
        table.setStyle(TableStyle([("LEFTPADDING", (0, 0), (-1, -1), 0), ("BOTTOMPADDING", (0, 0), (-1, -1), 4)]))
        parts.append(KeepTogether([head, table]))
    return parts


def _picture(each: dict[str, Any]) -> Image | None:
    try:
        (jpeg,) = crops(each["sha256"], [tuple(each["square"])], CROP)
    except (OSError, ValueError):
        return None
    return Image(BytesIO(jpeg), width=_PICTURE, height=_PICTURE)


def _table(heads: Sequence[str], rows: list[list[Paragraph]], widths: Sequence[float]) -> Table:
    # Heads stand over their numbers.
    styles = [_NUMBER if each.style is _NUMBER else _CELL for each in rows[0]] if rows else [_CELL] * len(heads)
    head = [Paragraph(f"<b>{_plain(each)}</b>", style) for each, style in zip(heads, styles, strict=True)]
    table = Table([head, *rows], colWidths=[each * mm for each in widths], repeatRows=1, hAlign="LEFT")
    table.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, 0), 0.7, _MUTED),
                ("LINEBELOW", (0, 1), (-1, -1), 0.3, _LINE),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 2),
                ("TOPPADDING", (0, 0), (-1, -1), 1.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2.5),
            ]
        )
    )
    return table
