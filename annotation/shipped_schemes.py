"""The label schemes that a study can begin with. Plain data: annotation/scheme.py makes rows of them.

Colours after Paul Tol's schemes, which colour-blind people can tell apart; 21 of them can not all be told apart, so
that cells that follow each other in maturation, and are confused most, differ in lightness too.
"""

from dataclasses import dataclass

CELL_TYPE_GROUP = "Cell type"
CHARACTERISTICS_GROUP = "Characteristics"


@dataclass(frozen=True)
class SchemeLabel:
    """A label as a study begins with it. counted: whether such cells enter ratios. aliases: other spellings."""

    name: str
    key: str
    colour: str
    description: str
    counted: bool = True
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class SchemeGroup:
    name: str
    multiple: bool
    description: str
    labels: tuple[SchemeLabel, ...]


@dataclass(frozen=True)
class ShippedScheme:
    """title and summary: what people read when they choose it."""

    key: str
    title: str
    summary: str
    groups: tuple[SchemeGroup, ...]


_ONE = "What the cell is. One choice, in the order of maturation."
_MANY = "What is seen in the cell, whatever its type. Any number."
_BLAST = (
    "Large cell, 12 to 20 µm, that the nucleus fills for the most part. Chromatin fine and evenly spread, one to "
    "several nucleoli. Narrow blue cytoplasm without granules or with a few."
)
_PROMYELOCYTE = (
    "Larger than the blast, 15 to 25 µm, with more cytoplasm. Nucleus round and to one side, chromatin still fine, "
    "nucleolus often seen. Many coarse red-purple granules, also over the nucleus. In APL the granules are very many "
    "or too fine to be seen, and the nucleus is often of two lobes or kidney-shaped."
)
_MYELOCYTE = (
    "Nucleus round to oval and to one side, chromatin clumping, no nucleolus. Cytoplasm pale to pink with fine "
    "specific granules; few red-purple ones are left."
)
_METAMYELOCYTE = (
    "Nucleus kidney-shaped, its dent less than half its width, chromatin clumped. Pink cytoplasm with specific "
    "granules."
)
_EOSINOPHIL = "Large round orange-red granules of even size fill the cytoplasm. Nucleus usually of two lobes."
_MONOCYTE = (
    "Large, 15 to 20 µm. Nucleus folded, kidney- or horseshoe-shaped, with lacy chromatin. Wide grey-blue cytoplasm "
    "with fine dust-like granules, often with vacuoles."
)
_LYMPHOCYTE = (
    "Small, 7 to 12 µm, large forms up to 15 µm. Nucleus round with dense, blocked chromatin. Narrow clear blue "
    "cytoplasm without granules or with a few red ones."
)
_ERYTHROBLAST = (
    "Nucleus round and sharply outlined, its chromatin coarse like a wheel and at last black. Cytoplasm without "
    "granules, from blue through grey to pink as haemoglobin fills it."
)
_AUER_ROD = SchemeLabel(
    "Auer rod",
    "9",
    "#cc3311",
    "Red-purple needle in the cytoplasm of a blast or promyelocyte, 0.3 to 0.5 µm wide and some µm long, straight and "
    "of sharper edges than the granules around it. Lines of stain and scratches go on beyond the cell.",
)
_FAGGOT = (
    "Promyelocyte with many Auer rods, in bundles or crossing like a stack of sticks. Typical of APL, and seldom "
    "seen in anything else."
)
_OUT_OF_COUNT = SchemeLabel(
    "Exclude from count",
    "",
    "#777777",
    "The cell keeps its type and enters no count: seen twice where fields overlap, cut off by the edge, or crushed.",
    counted=False,
)
_UNNAMED = "A cell that cannot be named: out of focus, damaged, or hidden by others. It does not enter ratios."

PAPER = ShippedScheme(
    "paper",
    "Cells of interest in APL",
    "Myeloblast, promyelocyte, Auer rod and faggot cell among the common cells of the marrow.",
    (
        SchemeGroup(
            CELL_TYPE_GROUP,
            False,
            _ONE,
            (
                SchemeLabel("Myeloblast", "1", "#4477aa", _BLAST),
                SchemeLabel("Promyelocyte", "2", "#ee6677", _PROMYELOCYTE),
                SchemeLabel("Myelocyte", "3", "#228833", _MYELOCYTE),
                SchemeLabel("Metamyelocyte", "", "#44aa99", _METAMYELOCYTE),
                SchemeLabel(
                    "Neutrophil",
                    "4",
                    "#ccbb44",
                    "Nucleus a band or of two to five segments, chromatin coarse and dark. Pale pink cytoplasm with "
                    "fine lilac granules.",
                ),
                SchemeLabel("Eosinophil", "", "#ee7733", _EOSINOPHIL),
                SchemeLabel("Monocyte", "5", "#66ccee", _MONOCYTE),
                SchemeLabel("Lymphocyte", "6", "#aa3377", _LYMPHOCYTE),
                SchemeLabel("Erythroblast", "7", "#882255", _ERYTHROBLAST),
                SchemeLabel(
                    "Other cell",
                    "8",
                    "#888888",
                    "A nucleated cell that can be named and is none of the others, such as a plasma cell, a basophil "
                    "or a megakaryocyte.",
                ),
                SchemeLabel(
                    "Unidentified",
                    "",
                    "#bbbbbb",
                    _UNNAMED,
                    counted=False,
                ),
            ),
        ),
        SchemeGroup(
            CHARACTERISTICS_GROUP,
            True,
            _MANY,
            (_AUER_ROD, SchemeLabel("Faggot cell", "0", "#aa4499", _FAGGOT), _OUT_OF_COUNT),
        ),
    ),
)

# Matek et al. 2021, "Highly accurate differentiation of bone marrow cell morphologies"; their codes are the aliases.
MARROW = ShippedScheme(
    "marrow",
    "21 classes of the bone marrow",
    "The classes of Matek et al. 2021, in the order of maturation, and Auer rods beside them.",
    (
        SchemeGroup(
            CELL_TYPE_GROUP,
            False,
            _ONE,
            (
                SchemeLabel("Blast", "1", "#4477aa", _BLAST, aliases=("BLA",)),
                SchemeLabel("Promyelocyte", "2", "#ee6677", _PROMYELOCYTE, aliases=("PMO",)),
                SchemeLabel("Faggot cell", "0", "#aa4499", _FAGGOT, aliases=("FGC",)),
                SchemeLabel("Myelocyte", "3", "#228833", _MYELOCYTE, aliases=("MYB",)),
                SchemeLabel("Metamyelocyte", "", "#44aa99", _METAMYELOCYTE, aliases=("MMZ",)),
                SchemeLabel(
                    "Band neutrophil",
                    "4",
                    "#999933",
                    "Nucleus an even band, bent like a C or an S, nowhere drawn out to a thread; its dent is deeper "
                    "than half its width. Pale pink cytoplasm with fine lilac granules.",
                    aliases=("NGB", "Neutrophil (band)"),
                ),
                SchemeLabel(
                    "Segmented neutrophil",
                    "5",
                    "#ddcc77",
                    "Nucleus of two to five segments that threads or narrow bridges join, chromatin coarse and dark. "
                    "Pale pink cytoplasm with fine lilac granules.",
                    aliases=("NGS", "Neutrophil (segmented)"),
                ),
                SchemeLabel("Eosinophil", "", "#ee7733", _EOSINOPHIL, aliases=("EOS",)),
                SchemeLabel(
                    "Abnormal eosinophil",
                    "",
                    "#bb5500",
                    "Eosinophil with large, uneven, violet to black granules among the orange ones, as in AML with "
                    "inv(16).",
                    aliases=("ABE",),
                ),
                SchemeLabel(
                    "Basophil",
                    "",
                    "#6644bb",
                    "Coarse blue-black granules of uneven size that cover the nucleus; some are washed out and leave "
                    "holes.",
                    aliases=("BAS",),
                ),
                SchemeLabel("Monocyte", "6", "#66ccee", _MONOCYTE, aliases=("MON",)),
                SchemeLabel(
                    "Immature lymphocyte",
                    "",
                    "#882255",
                    "Lymphoid cell with finer chromatin than the mature one, at times a nucleolus, and very little "
                    "blue cytoplasm without granules.",
                    aliases=("LYI",),
                ),
                SchemeLabel("Lymphocyte", "7", "#aa3377", _LYMPHOCYTE, aliases=("LYT",)),
                SchemeLabel(
                    "Hairy cell",
                    "",
                    "#f7a1c4",
                    "Lymphoid cell with an oval or bean-shaped nucleus, loose chromatin, and pale grey-blue cytoplasm "
                    "that ends in fine hairs or ruffles all around.",
                    aliases=("HAC",),
                ),
                SchemeLabel(
                    "Plasma cell",
                    "",
                    "#cc6677",
                    "Round nucleus far to one side, chromatin like a wheel. Wide deep blue cytoplasm with a pale field "
                    "beside the nucleus.",
                    aliases=("PLM",),
                ),
                SchemeLabel(
                    "Proerythroblast",
                    "",
                    "#661100",
                    "Large, 15 to 25 µm. Round nucleus with fine, grainy chromatin and nucleoli. Deep royal blue "
                    "cytoplasm without granules, at times with small ears, pale beside the nucleus.",
                    aliases=("PEB",),
                ),
                SchemeLabel("Erythroblast", "8", "#117733", _ERYTHROBLAST, aliases=("EBO",)),
                SchemeLabel(
                    "Other cell",
                    "",
                    "#555555",
                    "A cell that can be named and is none of the others, such as a megakaryocyte, a macrophage or a "
                    "mast cell.",
                    aliases=("OTH",),
                ),
                SchemeLabel(
                    "Smudge cell",
                    "",
                    "#aaaaaa",
                    "Crushed cell: a bare, spread nucleus without an edge or cytoplasm. It does not enter ratios.",
                    counted=False,
                    aliases=("KSC", "Smudge", "Gumprecht shadow"),
                ),
                SchemeLabel(
                    "Artefact",
                    "",
                    "#888888",
                    "No cell: stain, dirt, a clump of platelets, or an edge of the smear. It does not enter ratios.",
                    counted=False,
                    aliases=("ART", "Artifact"),
                ),
                SchemeLabel(
                    "Not identifiable",
                    "9",
                    "#cccccc",
                    _UNNAMED,
                    counted=False,
                    aliases=("NIF", "Unidentified", "Unidentifiable"),
                ),
            ),
        ),
        SchemeGroup(
            CHARACTERISTICS_GROUP,
            True,
            _MANY,
            (SchemeLabel(_AUER_ROD.name, "", _AUER_ROD.colour, _AUER_ROD.description), _OUT_OF_COUNT),
        ),
    ),
)

SCHEMES = {scheme.key: scheme for scheme in (PAPER, MARROW)}
DEFAULT = PAPER.key
