"""What the report says of the suspected diagnosis: the one place where it enters."""

from typing import Any

from annotation.models import Patient

NONE_IN_USE = "No diagnostic bundle is in use in this study, so the report suspects no diagnosis."
OF_PATIENTS = "Diagnoses are made of all images of a patient; this report is of one image."


def diagnosis_json(patient: Patient | None) -> dict[str, Any]:
    """The latest diagnosis of a patient as it stands in the rows; {"reason"} where there is none to tell."""
    return {"reason": OF_PATIENTS if patient is None else NONE_IN_USE}
