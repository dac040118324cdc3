"""What the bundles in use suspect of patients, on the worker: asked for once, and kept for the pages that show it."""

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError, transaction

from annotation.models import Patient, Study
from inference.cell_feature_jobs import Extractor, default_extractor
from inference.diagnosis import DiagnosisProblem, chosen_models, diagnose_patients
from inference.models import DiagnosisJob, PatientDiagnosis
from training.models import Bundle, JobState, Kind


class AlreadyDiagnosing(Exception):
    """The study's patients are being diagnosed already."""


def ask(study: Study, user: Any, patient: Patient | None = None) -> DiagnosisJob:
    """Queue a pass over one patient or all of a study, by the bundles in use there.

    Raises AlreadyDiagnosing while another one is queued or running, DiagnosisProblem where no bundle is in use.
    """
    DiagnosisJob.bury_dead()
    chosen_models(study, ())
    try:
        with transaction.atomic():
            job = DiagnosisJob.objects.create(study=study, patient=patient, requested_by=user)
            job.enqueue()
    except IntegrityError:
        raise AlreadyDiagnosing("The patients of this study are being diagnosed already.") from None
    return job


def can_diagnose(study: Study) -> bool:
    """Whether a bundle that diagnoses is in use. One query."""
    return Bundle.objects.filter(study=study, kind__in=Kind.reporting(), in_use=True).exists()


def work(
    job: DiagnosisJob,
    extractor: Callable[[str], Extractor] = default_extractor,
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Claim and do one job; of how many patients something is kept, 0 where another worker has it. A worker that is
    `stopping` puts it back into the queue: features that are computed by then stay."""
    if not job.claim():
        return 0
    progress = job.teller(stopping)
    patients = list(Patient.objects.filter(study=job.study, **({"pk": job.patient_id} if job.patient_id else {})))
    try:
        bundles = chosen_models(job.study, ())
        done = diagnose_patients(job.study, patients, bundles, progress, extractor)
    except (DiagnosisProblem, ValueError, OSError) as problem:
        job.fail(str(problem))
        return 0
    except Exception as error:
        job.fail(f"Diagnosing failed: {type(error).__name__}: {error}")
        raise
    job.beat()
    if job.state == JobState.RUNNING and stopping() and job.release():
        # What was said of cells whose features are missing would be half the truth.
        job.send()
        return 0
    if job.give_up():
        return 0
    facts = [described(bundle) for bundle in bundles]
    by_code = {patient.code: patient for patient in patients}
    with transaction.atomic():
        for each in done.diagnosed:
            PatientDiagnosis.objects.update_or_create(
                patient=by_code[each.patient], defaults={"said": each.as_json(), "bundles": facts}
            )
    for sha256 in done.missing:
        job.beat(log=f"The image {sha256[:12]} is gone from the image store; its cells are left out.\n")
    job.succeed()
    return len(patients)


def described(bundle: Bundle) -> dict[str, Any]:
    """A bundle, and in a sentence how it was judged."""
    decisions = (bundle.card.get("metrics") or {}).get("decisions") or {}
    judged = [
        f"{name}: AUROC {each['auroc']['value']:.2f} ({each['auroc']['low']:.2f} to {each['auroc']['high']:.2f}) on "
        f"{each['patients']:,} patients"
        for name, each in decisions.items()
        if each.get("auroc") and each["auroc"].get("value") is not None
    ]
    folds = (bundle.card.get("folds") or {}).get("k")
    how = f"cross-validated by patient in {folds} folds" if folds else "not cross-validated"
    return {
        "id": bundle.pk,
        "kind": str(Kind(bundle.kind).label),
        "validated": f"{how}{', ' if judged else ''}{'; '.join(judged)}.",
    }
