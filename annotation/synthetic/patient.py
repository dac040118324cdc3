"""A synthetic patient: what stays the same on all fields of one slide."""

from dataclasses import dataclass

import numpy as np

from annotation.synthetic.auer_rods import RodParameters
from annotation.synthetic.cell_types import CELL_TYPES
from annotation.synthetic.optics import Optics, draw_optics
from annotation.synthetic.stain import Stain, draw_stain

#: values of annotation's Diagnosis that the generator knows
DIAGNOSES = ("apl", "non_apl_aml", "healthy")

# Mean differentials in percent, in the order of CELL_TYPES; patients scatter around them.
_DIFFERENTIALS = {
    #                blast promy myelo meta band segm eos mono lymph erythro
    "apl": (6.0, 72.0, 2.0, 1.5, 1.5, 2.5, 0.8, 0.7, 6.0, 7.0),
    "non_apl_aml": (66.0, 3.0, 3.0, 2.0, 2.0, 4.0, 1.0, 4.0, 8.0, 7.0),
    "healthy": (1.5, 4.0, 12.0, 13.0, 13.0, 15.0, 3.0, 2.5, 13.0, 23.0),
}
#: how closely patients follow the mean (concentration of a Dirichlet distribution)
_CONCENTRATION = {"apl": 28.0, "non_apl_aml": 22.0, "healthy": 60.0}


@dataclass(frozen=True)
class SyntheticPatient:
    """A made-up patient.

    differential: share of each cell type, summing to 1; abnormal_promyelocytes: share of promyelocytes that look
    leukaemic (folded nucleus, heavy granules); granularity: factor on azurophil granules (a microgranular APL has
    few); cells, red_cells, platelets: per mm²; smudges: smudge cells per nucleated cell; debris: 0 clean to 1 dirty.
    """

    seed: int
    index: int
    code: str
    diagnosis: str
    stain: Stain
    optics: Optics
    differential: tuple[tuple[str, float], ...]
    abnormal_promyelocytes: float
    granularity: float
    rods: RodParameters
    cells: float
    red_cells: float
    platelets: float
    smudges: float
    debris: float


def draw_patient(seed: int, index: int, diagnosis: str | None = None) -> SyntheticPatient:
    """Patient number index of a seed; without a diagnosis the three take turns. ValueError for an unknown one."""
    if diagnosis is None:
        diagnosis = DIAGNOSES[index % len(DIAGNOSES)]
    if diagnosis not in DIAGNOSES:
        raise ValueError(f"The generator knows no diagnosis {diagnosis!r}, only {', '.join(DIAGNOSES)}.")
    if seed < 0 or index < 0:
        raise ValueError("Seed and index of a synthetic patient must not be negative.")
    rng = np.random.default_rng([seed, index, 1])
    stain, optics = draw_stain(rng), draw_optics(rng)
    mean = np.asarray(_DIFFERENTIALS[diagnosis]) / sum(_DIFFERENTIALS[diagnosis])
    shares = rng.dirichlet(mean * _CONCENTRATION[diagnosis])
    granularity = float(rng.uniform(0.75, 1.25))
    if diagnosis == "apl" and rng.random() < 0.2:
        granularity *= 0.3
    abnormal = {"apl": rng.uniform(0.88, 1.0), "non_apl_aml": rng.uniform(0.0, 0.2), "healthy": 0.0}[diagnosis]
    return SyntheticPatient(
        seed=seed,
        index=index,
        code=f"synthetic-{seed}-{index:03d}",
        diagnosis=diagnosis,
        stain=stain,
        optics=optics,
        differential=tuple((name, float(share)) for name, share in zip(CELL_TYPES, shares, strict=True)),
        abnormal_promyelocytes=float(abnormal),
        granularity=granularity,
        rods=_draw_rods(rng, diagnosis),
        cells=float(rng.uniform(2900, 4900)),
        red_cells=float(rng.uniform(1500, 6500)),
        platelets=float(rng.uniform(100, 1200) if diagnosis == "healthy" else rng.uniform(0, 400)),
        smudges=float(rng.uniform(0.01, 0.06) if diagnosis == "healthy" else rng.uniform(0.03, 0.14)),
        debris=float(rng.uniform(0.05, 1.0)),
    )


def _draw_rods(rng: np.random.Generator, diagnosis: str) -> RodParameters:
    narrow = rng.uniform(0.30, 0.38)
    short = rng.uniform(2.0, 2.8)
    faint = rng.uniform(0.34, 0.6)
    blasts, promyelocytes, faggots = {
        "apl": (rng.uniform(0.2, 0.5), rng.uniform(0.35, 0.7), rng.uniform(0.08, 0.4)),
        # Half or so of other acute myeloid leukaemias show rods, in few of their blasts.
        "non_apl_aml": (rng.uniform(0.08, 0.35) * (rng.random() < 0.6), rng.uniform(0.0, 0.1), 0.0),
        "healthy": (0.0, 0.0, 0.0),
    }[diagnosis]
    return RodParameters(
        share_of_myeloblasts=float(blasts),
        share_of_promyelocytes=float(promyelocytes),
        share_of_faggots=float(faggots),
        width=(float(narrow), float(rng.uniform(narrow + 0.04, 0.5))),
        length=(float(short), float(short + rng.uniform(1.5, 3.5))),
        contrast=(float(faint), float(faint + rng.uniform(0.1, 0.3))),
    )
