"""What the page of a bundle on other patients shows: its own figures, those of each study and cohort, curves of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotation.blind_reading import hidden_cells
from annotation.models import Patient, Study
from annotation.templatetags.humane import ago
from inference.models import ValidationJob
from inference.validation_jobs import judging_studies, last_of
from training.decisions import names_in
from training.models import Bundle, JobState
from training.views.classifier_page import Figure
from training.views.diagnosis_judged import judged_context

FIGURES = {"auroc": "AUROC", "auprc": "AUPRC", "brier": "Brier score", "promised": "Promised to true"}


@dataclass(frozen=True)
class Row:
    """Figures of one group of patients: `step` 0 of a study (or of the bundle's own), 1 of a cohort of it. job and
    cohort: whose curves a click shows."""

    name: str
    decision: str
    patients: int
    positives: int
    figures: Sequence[Figure]
    step: int = 0
    job: int | None = None
    cohort: str = ""
    note: str = ""


def validation_context(
    bundle: Bundle, user: Any, wanted: str = "", decision: str = "", cohort: str = ""
) -> dict[str, Any]:
    """`wanted`: the id of the job whose curves are shown, by `decision` and of one `cohort` alone; else the first there
    are, of all."""
    jobs = last_of(bundle, user)
    done = [job for _, job in jobs if job is not None]
    shown = next((job for job in done if str(job.pk) == wanted), done[0] if done else None)
    rows = [row for job in done for row in _rows(job)]
    return {
        "bundle": bundle,
        "made_by": bundle.made_by,
        "studies": judging_studies(bundle, user),
        "jobs": [job for job, _ in jobs if job.state != JobState.SUCCEEDED],
        "is_working": any(job.is_live for job, _ in jobs),
        "figure_names": list(FIGURES.values()),
        "own": _own(bundle),
        "rows": rows,
        "left_out": [pair for job in done for pair in _left_out(job)],
        **(_chosen(shown, decision, cohort, int(user.pk or 0)) if shown else {}),
    }


def _own(bundle: Bundle) -> list[Row]:
    """As it was judged on the patients of its own study, each by a part that had not seen it."""
    decisions = (bundle.card.get("metrics") or {}).get("decisions") or {}
    return [_row("Its own patients", name, each) for name, each in decisions.items()]


def _rows(job: ValidationJob) -> list[Row]:
    found = []
    for name, each in job.result["decisions"].items():
        note = ""
        if each["taught_on"]:
            note = f"{each['taught_on']:,} of these patients taught it; they are judged by a part that never saw them."
        found.append(_row(job.study.name, name, each, job=job.pk, note=note))
        for cohort, own in each["cohorts"].items():
            # Before cohorts had curves of their own they were judged without.
            shows = {"job": job.pk, "cohort": cohort} if "roc" in own else {}
            found.append(_row(cohort, name, own, step=1, **shows))
    return found


def _row(name: str, decision: str, stated: Mapping[str, Any], **more: Any) -> Row:
    figures = [Figure.of(words, stated.get(key)) for key, words in FIGURES.items()]
    return Row(name, decision, stated["patients"], stated["positives"], figures, **more)


def _left_out(job: ValidationJob) -> list[tuple[str, str]]:
    """(what, why) of decisions, cohorts and patients without figures."""
    result = job.result
    found = [(f"{job.study.name}, {name}", reason) for name, reason in result["left_out"].items()]
    for name, each in result["decisions"].items():
        found += [
            (f"{job.study.name}, {name}, {cohort}", reason) for cohort, reason in each["cohorts_left_out"].items()
        ]
    if result["without"]:
        number = len(result["without"])
        found.append((job.study.name, f"{number:,} patient{'' if number == 1 else 's'} without cells to judge by."))
    return found


def _chosen(job: ValidationJob, decision: str, cohort: str, viewer: int) -> dict[str, Any]:
    """Curves and patients of one job and decision, or of one cohort. Two queries."""
    decisions: Mapping[str, Any] = job.result["decisions"]
    name = decision if decision in decisions else next(iter(decisions))
    each = decisions[name]
    by = f", asked for by {job.requested_by.get_username()}" if job.requested_by else ""
    of_cohort = each["cohorts"].get(cohort, {})
    cohort = cohort if "roc" in of_cohort else ""
    found = judged_context(of_cohort if cohort else each, names_in(name), each["threshold"])
    return found | {
        "shown": job,
        "decision": name,
        "cohort": cohort,
        "heading": f"{job.study.name}, {cohort}: {name}" if cohort else f"{job.study.name}: {name}",
        "sentence": f"Judged {ago(job.finished_at or job.created_at)}{by}.",
        "judged_patients": _patients(job.study, found["judged_patients"], viewer),
    }


def _patients(study: Study, rows: Sequence[Mapping[str, Any]], viewer: int) -> list[dict[str, Any]]:
    """Rows with the `id` of each patient who is still there; without those whose cells the viewer reads blind."""
    blind = set(
        Patient.objects.filter(study=study, images__cells__in=hidden_cells(viewer)).values_list("code", flat=True)
    )
    known = dict(Patient.objects.filter(study=study).values_list("code", "pk"))
    return [{**row, "id": known.get(row["patient"])} for row in rows if row["patient"] not in blind]
