"""What the report says of the suspected diagnosis: the one place where it enters, from rows that a worker wrote."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils import timezone

from annotation.label_roles import CellRole
from annotation.models import Patient, Study
from inference.models import PatientDiagnosis
from training.decisions import Decision, names_in
from training.models import Bundle, Kind
from training.study_decisions import decided_by

NONE_IN_USE = "No diagnostic bundle is in use in this study, so the report suspects no diagnosis."
NOT_ASKED = "Nobody has asked yet what the bundles in use suspect of this patient."
OF_PATIENTS = "Diagnoses are made of all images of a patient; this report is of one image."
OTHER_BUNDLES = "This was said by bundles that are no longer in use."


def diagnosis_json(patient: Patient | None, study: Study) -> dict[str, Any]:
    """What was last said of a patient of the study's decisions; {"reason"} where there is nothing to tell. Two
    queries."""
    if patient is None:
        return {"reason": OF_PATIENTS}
    in_use = set(
        Bundle.objects.filter(study=patient.study_id, kind__in=Kind.reporting(), in_use=True).values_list(
            "pk", flat=True
        )
    )
    kept = PatientDiagnosis.objects.filter(patient=patient).first()
    if kept is None:
        return {"reason": NOT_ASKED if in_use else NONE_IN_USE}
    said, wanted = kept.said, decided_by(study)
    decisions = _of_study(said, study, wanted)
    found = {
        "suspected": suspected_of(decisions),
        "disagreement": disagreement_of(decisions),
        "decisions": decisions,
        "ratios": _ratios(said),
        "bundles": kept.bundles,
        "speaking": said["speaking"],
        "speak_for": _speak_for(said, study),
        "cells": said["counts"]["cells"],
        "made_at": f"{timezone.localtime(kept.made_at):%Y-%m-%d %H:%M %Z}",
    }
    outdated = in_use != {bundle["id"] for bundle in kept.bundles}
    told = " or ".join(each.name for each in wanted)
    untold = "" if decisions or said["reason"] else f"No bundle was asked that decides {told}."
    reasons = [said["reason"] or "", OTHER_BUNDLES if outdated else "", untold]
    return found | {"reason": " ".join(filter(None, reasons))}


def suspicion_of(said: Mapping[str, Any], study: Study) -> str:
    """The line for what a PatientDiagnosis says of the study's decisions; "" where it says nothing."""
    return suspected_of(_of_study(said, study, decided_by(study)))


def _of_study(said: Mapping[str, Any], study: Study, wanted: Sequence[Decision]) -> list[dict[str, Any]]:
    """In the study's order and by the names that it gives its diagnoses now, whatever these were when a bundle was
    taught; what a bundle decides beside these is not shown."""
    found = []
    for decision in wanted:
        for each in said["probabilities"]:
            names = {name: study.diagnoses.find(name) or "" for name in names_in(each["decision"])}
            if tuple(names.values()) == decision.classes:
                found.append(_decision(each, decision, names[each["suspected"]]))
    return found


def _speak_for(said: Mapping[str, Any], study: Study) -> str:
    """The diagnosis that cells speak for: the first of the decision by which they were scored."""
    scored = [each for each in said["probabilities"] if each["model"] == Kind.MIL] or said["probabilities"]
    if not scored:
        return ""
    first = names_in(scored[0]["decision"])[0]
    return next((row.name for row in study.diagnoses if row.key == study.diagnoses.find(first)), first)


def _decision(each: Mapping[str, Any], decision: Decision, suspected: str) -> dict[str, Any]:
    name_of = dict(zip(decision.classes, decision.names, strict=True))
    told = each["probabilities"]
    # A patient that taught the bundle is judged by the part of it that never saw the patient.
    return {
        "decision": decision.name,
        "model": str(Kind(each["model"]).label),
        "probability": each["probability"],
        "first": decision.names[0],
        # In the order in which the decision names them, which its row does not keep.
        "probabilities": [{"name": name, "value": told[key]} for key, name in name_of.items() if key in told],
        "threshold": each["threshold"],
        "says": name_of[suspected],
        "unseen": each["chain"] != "all",
    }


def suspected_of(decisions: Sequence[Mapping[str, Any]]) -> str:
    """One line for all decisions; "" where there is none. Of a patient whose diagnosis a decision does not know it says
    one of its own all the same: so that one is suspected which each decision says that knows it, if there is one such
    and the models are of one mind."""
    if not decisions:
        return ""
    first = {names_in(each["decision"])[0] for each in decisions}
    said = {each["says"] for each in decisions}
    if len(said) == 1:
        return f"Suspected: {said.pop()}"
    if not said & first:
        return f"Not suspected: {', '.join(sorted(first))}"
    standing = {
        name for name in said if all(each["says"] == name for each in decisions if name in names_in(each["decision"]))
    }
    if len(standing) == 1 and not disagreement_of(decisions):
        return f"Suspected: {standing.pop()}"
    return "Undecided: the decisions do not agree"


def disagreement_of(decisions: Sequence[Mapping[str, Any]]) -> str:
    """Where two models say different things of one decision; "" where none do."""
    by_decision: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for each in decisions:
        by_decision[each["decision"]].append(each)
    parts = [
        f"{name}: " + ", ".join(f"{each['model']} says {each['says']} ({each['probability']:.2f})" for each in own)
        for name, own in by_decision.items()
        if len({each["says"] for each in own}) > 1
    ]
    return f"The models disagree. {'; '.join(parts)}." if parts else ""


def _ratios(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """In the order of roles, also those that are left out, and why."""
    return [
        {"name": str(role.label), **(said["ratios"].get(role) or {"left_out": said["ratios_left_out"][role]})}
        for role in (CellRole.MYELOBLAST, CellRole.PROMYELOCYTE, CellRole.AUER_ROD)
        if role in said["ratios"] or role in said["ratios_left_out"]
    ]
