"""Work of the queues `inference` and `interactive`: each task carries ids, and returns cleanly where the row is gone or
taken."""

import multiprocessing
from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down
from django.db import connection

from inference import (
    cell_evidence,
    cell_feature_jobs,
    cell_looks,
    cell_map_jobs,
    cell_measure_jobs,
    classify_jobs,
    diagnosis_jobs,
    evidence_due,
    field_why_jobs,
    image_quality_jobs,
    interactive,
    proposal_jobs,
    saliency_jobs,
    validation_jobs,
)
from inference.models import (
    CellFeatureJob,
    CellMapJob,
    CellMeasureJob,
    ClassifyJob,
    DiagnosisJob,
    EvidenceJob,
    FieldWhyJob,
    ImageQualityJob,
    ProposalJob,
    SaliencyJob,
    ValidationJob,
)
from training import watch

# Memory that the worker shares with the pool processes it forks, as in training/tasks.py.
_stopping = multiprocessing.RawValue("b", 0)


@shared_task(name=ProposalJob.task_name)
def run_proposal_job(job_id: int) -> None:
    job = ProposalJob.objects.select_related("study", "bundle").filter(pk=job_id).first()
    if job is not None:
        proposal_jobs.work(job)


@shared_task(name=CellFeatureJob.task_name)
def compute_cell_features(job_id: int) -> None:
    job = CellFeatureJob.objects.select_related("study").filter(pk=job_id).first()
    if job is not None and cell_feature_jobs.work(job, stopping=lambda: bool(_stopping.value)):
        interactive.features_changed(job.study)
        # Here, so that nobody in the gallery waits for it.
        cell_looks.looks_of(job.study, latest=True)


@shared_task(name=ClassifyJob.task_name)
def run_classify_job(job_id: int) -> None:
    job = ClassifyJob.objects.select_related("study", "bundle").filter(pk=job_id).first()
    if job is not None:
        classify_jobs.work(job, stopping=lambda: bool(_stopping.value))


@shared_task(name=CellMeasureJob.task_name)
def measure_cells(job_id: int) -> None:
    job = CellMeasureJob.objects.select_related("study").filter(pk=job_id).first()
    if job is not None:
        cell_measure_jobs.work(job, stopping=lambda: bool(_stopping.value))


@shared_task(name=DiagnosisJob.task_name)
def diagnose_patients(job_id: int) -> None:
    job = DiagnosisJob.objects.select_related("study").filter(pk=job_id).first()
    if job is not None:
        diagnosis_jobs.work(job, stopping=lambda: bool(_stopping.value))


@shared_task(name=ValidationJob.task_name)
def validate_bundle(job_id: int) -> None:
    job = ValidationJob.objects.select_related("study", "bundle").filter(pk=job_id).first()
    if job is not None:
        validation_jobs.work(job, stopping=lambda: bool(_stopping.value))


@shared_task(name=FieldWhyJob.task_name)
def explain_field(job_id: int) -> None:
    job = FieldWhyJob.objects.select_related("image__study", "bundle").filter(pk=job_id).first()
    if job is not None:
        field_why_jobs.work(job, stopping=lambda: bool(_stopping.value))


@shared_task(name=EvidenceJob.task_name)
def score_cells_alone(job_id: int) -> None:
    job = EvidenceJob.objects.select_related("study").filter(pk=job_id).first()
    if job is not None:
        cell_evidence.work(job, stopping=lambda: bool(_stopping.value))


@shared_task(name=ImageQualityJob.task_name)
def judge_image_quality(job_id: int) -> None:
    job = ImageQualityJob.objects.select_related("study").filter(pk=job_id).first()
    if job is not None:
        image_quality_jobs.work(job, stopping=lambda: bool(_stopping.value))


@shared_task(name=interactive.TASK)
def retrain_head(study_id: int, group_id: int) -> None:
    interactive.retrain(study_id, group_id)


@shared_task(name=CellMapJob.task_name)
def make_cell_map(job_id: int) -> None:
    job = CellMapJob.objects.select_related("study").filter(pk=job_id).first()
    if job is not None:
        cell_map_jobs.work(job, stopping=lambda: bool(_stopping.value))


@shared_task(name=SaliencyJob.task_name)
def explain_cell(job_id: int) -> None:
    job = SaliencyJob.objects.select_related("cell__image__study", "label").filter(pk=job_id).first()
    if job is not None:
        saliency_jobs.work(job)


@worker_shutting_down.connect
def stop_jobs(**_: Any) -> None:
    """A pass over thousands of cells goes back into the queue rather than hold up a worker that is to stop."""
    _stopping.value = 1


@worker_ready.connect
def recover_jobs(sender: Any = None, **_: Any) -> None:
    """A worker that starts finds what was left behind in its queue, or whose message was lost."""
    queues = getattr(getattr(sender, "app", None), "amqp", None)
    own = None if queues is None else queues.queues.consume_from
    if own is None or "inference" in own:
        ProposalJob.recover()
        CellFeatureJob.recover()
        CellMeasureJob.recover()
        ClassifyJob.recover()
        CellMapJob.recover()
        ImageQualityJob.recover()
        DiagnosisJob.recover()
        ValidationJob.recover()
        FieldWhyJob.recover()
        EvidenceJob.recover()
    if own is None or "interactive" in own:
        interactive.send_lost()
        SaliencyJob.recover()
    connection.close()


watch.also_look("interactive", interactive.send_lost)
watch.also_look("inference", image_quality_jobs.look)
watch.also_look("inference", cell_measure_jobs.launch_due)
watch.also_look("inference", evidence_due.look)
