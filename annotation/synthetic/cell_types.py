"""How each type of nucleated cell looks: sizes in µm, concentrations of stain, shape of the nucleus."""

from dataclasses import dataclass

Range = tuple[float, float]

CELL_TYPES = (
    "myeloblast",
    "promyelocyte",
    "myelocyte",
    "metamyelocyte",
    "band_neutrophil",
    "segmented_neutrophil",
    "eosinophil",
    "monocyte",
    "lymphocyte",
    "erythroblast",
)
SMUDGE = "smudge"


@dataclass(frozen=True)
class Appearance:
    """Ranges from which one cell is drawn.

    radius: µm of the whole cell; nucleus: share of the cell's area; nucleus_shape: a name of nucleus.SHAPES;
    eccentric: 0 centred to 1 touching the edge; chromatin: concentration of nuclear stain; clumps, fine: contrast of
    coarse and fine chromatin; nucleoli: how many; blue, eosin: concentration in the cytoplasm; rim: how much bluer
    the cytoplasm's edge is; hof: how pale the zone beside the nucleus is; granules: density by size of azurophil
    granules; azurophil_haze: concentration of those too fine to be seen singly; lilac: density of
    specific (neutrophil) granules; eosinophilic: density of eosinophil granules; vacuoles: how many at most;
    elongation, irregularity: of the outline.
    """

    radius: Range
    nucleus: Range
    nucleus_shape: str
    eccentric: Range = (0.1, 0.6)
    chromatin: Range = (0.95, 1.2)
    clumps: float = 0.15
    fine: float = 0.15
    nucleoli: tuple[int, int] = (0, 0)
    blue: Range = (0.2, 0.3)
    eosin: Range = (0.0, 0.05)
    rim: float = 0.3
    hof: Range = (0.1, 0.4)
    granules_fine: Range = (0.0, 0.0)
    granules_medium: Range = (0.0, 0.0)
    azurophil_haze: Range = (0.0, 0.0)
    lilac: Range = (0.0, 0.0)
    eosinophilic: Range = (0.0, 0.0)
    vacuoles: int = 0
    elongation: Range = (0.0, 0.16)
    irregularity: Range = (0.02, 0.06)


#: looks by name; a cell type has one or several (see LOOKS_OF_TYPE)
LOOKS: dict[str, Appearance] = {
    "myeloblast": Appearance(
        radius=(6.0, 8.3), nucleus=(0.64, 0.84), nucleus_shape="blast", eccentric=(0.3, 0.9), chromatin=(0.8, 1.08),
        clumps=0.17, fine=0.3, nucleoli=(1, 4), blue=(0.36, 0.62), rim=0.5, hof=(0.2, 0.6),
        granules_fine=(0.0, 0.25), vacuoles=2, elongation=(0.0, 0.28), irregularity=(0.02, 0.09),
    ),
    "promyelocyte": Appearance(
        radius=(7.4, 9.8), nucleus=(0.45, 0.6), nucleus_shape="round", eccentric=(0.4, 0.95), chromatin=(0.85, 1.12),
        clumps=0.2, fine=0.28, nucleoli=(0, 3), blue=(0.26, 0.46), rim=0.4, hof=(0.5, 0.95),
        granules_fine=(0.3, 0.75), granules_medium=(0.15, 0.6), azurophil_haze=(0.0, 0.1), elongation=(0.0, 0.2),
    ),
    "abnormal_promyelocyte": Appearance(
        radius=(7.0, 9.8), nucleus=(0.46, 0.64), nucleus_shape="folded", eccentric=(0.1, 0.7),
        chromatin=(0.82, 1.1), clumps=0.19, fine=0.3, nucleoli=(0, 2), blue=(0.24, 0.5), rim=0.45, hof=(0.1, 0.5),
        granules_fine=(0.5, 1.0), granules_medium=(0.35, 1.0), azurophil_haze=(0.02, 0.22), vacuoles=1,
        elongation=(0.0, 0.32), irregularity=(0.03, 0.11),
    ),
    "myelocyte": Appearance(
        radius=(6.4, 8.4), nucleus=(0.34, 0.48), nucleus_shape="oval", eccentric=(0.5, 1.0), chromatin=(1.2, 1.5),
        clumps=0.26, fine=0.14, blue=(0.12, 0.24), eosin=(0.06, 0.14), rim=0.2, hof=(0.2, 0.6),
        granules_fine=(0.0, 0.25), lilac=(0.35, 0.8),
    ),
    "metamyelocyte": Appearance(
        radius=(6.2, 7.8), nucleus=(0.3, 0.4), nucleus_shape="kidney", eccentric=(0.3, 0.8), chromatin=(1.25, 1.6),
        clumps=0.3, fine=0.13, blue=(0.06, 0.14), eosin=(0.08, 0.16), rim=0.15, lilac=(0.4, 0.8),
    ),
    "band_neutrophil": Appearance(
        radius=(5.6, 6.9), nucleus=(0.24, 0.3), nucleus_shape="band", eccentric=(0.0, 0.2), chromatin=(1.35, 1.7),
        clumps=0.32, fine=0.12, blue=(0.03, 0.09), eosin=(0.08, 0.17), rim=0.1, lilac=(0.4, 0.9),
    ),
    "segmented_neutrophil": Appearance(
        radius=(5.4, 6.8), nucleus=(0.22, 0.28), nucleus_shape="segmented", eccentric=(0.0, 0.2),
        chromatin=(1.4, 1.75), clumps=0.34, fine=0.12, blue=(0.02, 0.07), eosin=(0.08, 0.17), rim=0.1,
        lilac=(0.4, 0.9), irregularity=(0.02, 0.08),
    ),
    "eosinophil": Appearance(
        radius=(6.0, 7.4), nucleus=(0.22, 0.3), nucleus_shape="bilobed", eccentric=(0.2, 0.6), chromatin=(1.3, 1.6),
        clumps=0.3, fine=0.12, blue=(0.04, 0.1), eosin=(0.14, 0.24), rim=0.1, eosinophilic=(0.85, 1.0),
    ),
    "monocyte": Appearance(
        radius=(6.8, 9.0), nucleus=(0.42, 0.56), nucleus_shape="folded", eccentric=(0.1, 0.6), chromatin=(0.85, 1.1),
        clumps=0.22, fine=0.22, blue=(0.26, 0.4), eosin=(0.03, 0.08), rim=0.15, hof=(0.0, 0.3),
        granules_fine=(0.05, 0.35), vacuoles=6, elongation=(0.0, 0.3), irregularity=(0.05, 0.13),
    ),
    "lymphocyte": Appearance(
        radius=(3.9, 5.4), nucleus=(0.72, 0.88), nucleus_shape="round", eccentric=(0.4, 1.0), chromatin=(1.4, 1.75),
        clumps=0.28, fine=0.1, blue=(0.25, 0.45), rim=0.3, elongation=(0.0, 0.22), irregularity=(0.02, 0.07),
    ),
    "basophilic_erythroblast": Appearance(
        radius=(5.4, 7.2), nucleus=(0.6, 0.72), nucleus_shape="round", eccentric=(0.0, 0.5), chromatin=(1.25, 1.55),
        clumps=0.26, fine=0.14, nucleoli=(0, 1), blue=(0.75, 1.0), rim=0.2, hof=(0.1, 0.35), elongation=(0.0, 0.1),
        irregularity=(0.02, 0.05),
    ),
    "polychromatic_erythroblast": Appearance(
        radius=(4.6, 5.8), nucleus=(0.4, 0.55), nucleus_shape="round", eccentric=(0.0, 0.6), chromatin=(1.5, 1.8),
        clumps=0.4, fine=0.1, blue=(0.3, 0.45), eosin=(0.12, 0.24), rim=0.1, hof=(0.0, 0.2), elongation=(0.0, 0.1),
        irregularity=(0.015, 0.04),
    ),
    "orthochromatic_erythroblast": Appearance(
        radius=(4.0, 4.9), nucleus=(0.26, 0.4), nucleus_shape="round", eccentric=(0.2, 1.0), chromatin=(1.9, 2.3),
        clumps=0.22, fine=0.08, blue=(0.1, 0.2), eosin=(0.26, 0.38), rim=0.05, hof=(0.0, 0.1), elongation=(0.0, 0.1),
        irregularity=(0.015, 0.04),
    ),
}  # fmt: skip

#: looks of a cell type with their shares
LOOKS_OF_TYPE: dict[str, tuple[tuple[str, float], ...]] = {
    **{name: ((name, 1.0),) for name in CELL_TYPES if name != "erythroblast"},
    "erythroblast": (
        ("basophilic_erythroblast", 0.25),
        ("polychromatic_erythroblast", 0.45),
        ("orthochromatic_erythroblast", 0.3),
    ),
}
