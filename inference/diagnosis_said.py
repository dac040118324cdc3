"""What bundles say of patients, as commands, jobs and pages pass it on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.decisions import Decision
from training.decisions import decided as said_place
from training.models import Bundle


class DiagnosisProblem(Exception):
    """Patients cannot be diagnosed; the message says why in one sentence."""


@dataclass(frozen=True)
class Said:
    """What one bundle says of one decision. probabilities: by diagnosis; probability: of the first. chain: the fold
    that the patient belongs to where the bundle was taught on the patient, else "all"."""

    decision: str
    kind: str
    bundle: str
    probability: float
    probabilities: Mapping[str, float]
    suspected: str
    threshold: float
    chain: str

    def as_json(self) -> dict[str, Any]:
        return {
            "decision": self.decision,
            "model": self.kind,
            "bundle": self.bundle,
            "probability": round(self.probability, 6),
            "probabilities": {name: round(each, 6) for name, each in self.probabilities.items()},
            "suspected": self.suspected,
            "threshold": round(self.threshold, 4),
            "chain": self.chain,
        }


def decided(bundle: Bundle, decision: Decision, chances: NDArray[np.float64], threshold: float, chain: str) -> Said:
    """Of probabilities (K,): the first diagnosis is suspected from the threshold on, else the likeliest of the rest."""
    place = said_place(chances.tolist(), threshold)
    return Said(
        decision.name,
        bundle.kind,
        bundle.pk,
        float(chances[0]),
        dict(zip(decision.classes, chances.tolist(), strict=True)),
        decision.names[place],
        threshold,
        chain,
    )


@dataclass
class Diagnosed:
    """One patient, or images diagnosed together. said: none where a sentence stands in `reason`. ratios, left_out,
    counts: as the first bundle's cell classifiers see the cells. speaking: (cell, score) of those that alone would
    speak most for the first diagnosis, by MILLIE."""

    patient: str
    cells: int = 0
    images: int = 0
    said: list[Said] = field(default_factory=list)
    reason: str = ""
    ratios: dict[str, Any] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)
    speaking: list[tuple[Any, float]] = field(default_factory=list)

    @property
    def diagnosis(self) -> str | None:
        """What the first bundle suspects in its first decision."""
        return self.said[0].suspected if self.said else None

    def as_json(self) -> dict[str, Any]:
        return {
            "patient": self.patient,
            "diagnosis": self.diagnosis,
            "reason": self.reason or None,
            "probabilities": [each.as_json() for each in self.said],
            "ratios": self.ratios,
            "ratios_left_out": self.left_out,
            "counts": {"images": self.images, "cells": self.cells, "types": self.counts},
            "speaking": [{"cell": str(cell), "score": round(score, 4)} for cell, score in self.speaking],
        }
