"""A study of many cells for the gallery to be measured on: rows written by the database itself, with labels, measures,
probabilities of each label of a group of one choice and features that form as many heaps as there are labels."""

from typing import Any

from django.db import connection

from annotation.measure_table import MEASURES, RECIPE
from annotation.models import ImageName, Label, Patient, SmearImage, Study

CELLS_AN_IMAGE = 160
# Channels of a stored feature: those of the default backbone.
WIDTH = 1280
_TABLES = (
    "annotation_smearimage",
    "annotation_cell",
    "annotation_celllabel",
    "inference_cellprobability",
    "inference_cellfeatures",
    "annotation_cellmeasures",
)
_BORDER = (
    """'{"kind": "polygon", "points": ["""
    + ", ".join(f"[{1000 + n * 7.25}, {900 + n * 3.75}]" for n in range(20))
    + """]}'::jsonb"""
)


def fill(study: Study, annotators: list[Any], cells: int, width: int = WIDTH) -> None:
    """Write `cells` confirmed cells and as many proposals in images of 160, a third of them labelled by one of the
    annotators, with probabilities and features of `width` channels."""
    patients = [Patient.arrive(study, f"P-{number:02}") for number in range(30)]
    SmearImage.objects.bulk_create(
        SmearImage(
            study=study,
            sha256=f"{number:064x}",
            width=2560,
            height=1920,
            um_per_pixel=0.1,
            fold=0,
            patient=patients[number % len(patients)],
            state="annotated" if number % 3 else "in_progress",
            revision=1,
        )
        for number in range(-(-cells // CELLS_AN_IMAGE))
    )
    ImageName.objects.bulk_create(ImageName(image=image, name=f"field-{image.pk}.png") for image in study.images.all())
    labels = list(Label.objects.filter(group__study=study, group__multiple=False).values_list("pk", flat=True))
    people = [person.pk for person in annotators]
    with connection.cursor() as cursor:
        for table in ("annotation_cell", "annotation_celllabel"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for status in ("confirmed", "deleted"):
            cursor.execute(
                "INSERT INTO annotation_cell (id, image_id, version, revision, status, origin, border, x0, y0, x1, y1,"
                " ignored, ignored_class, shadowed, created_at, changed_at)"
                f" SELECT gen_random_uuid(), image.id, 1, 0, %s, 'drawn', {_BORDER}, place.x, place.y,"
                " place.x + 60 + 90 * random(), place.y + 60 + 90 * random(), false, '', false,"
                " now() - interval '1 second' * (image.id * 200 + place.n), now()"
                " FROM annotation_smearimage image, generate_series(1, %s) series(n),"
                " LATERAL (SELECT 2400 * random() AS x, 1800 * random() AS y, series.n) place"
                " WHERE image.study_id = %s",
                [status, CELLS_AN_IMAGE, study.pk],
            )
        # The n-th label for the cells whose id begins with n: the same for labels, probabilities and features.
        kind = f"1 + get_byte(uuid_send(cell.id), 0) %% {len(labels)}"
        ours = (
            "FROM annotation_cell cell JOIN annotation_smearimage image ON image.id = cell.image_id"
            " WHERE image.study_id = %s AND cell.status = 'confirmed'"
        )
        cursor.execute(
            "INSERT INTO annotation_celllabel (cell_id, label_id, annotator_id, created_at)"
            f" SELECT cell.id, (%s::bigint[])[{kind}], (%s::int[])[1 + get_byte(uuid_send(cell.id), 1) %% %s], now()"
            f" {ours} AND get_byte(uuid_send(cell.id), 2) < 85",
            [labels, people, len(people), study.pk],
        )
        cursor.execute(
            "INSERT INTO inference_cellprobability (cell_id, label_id, probability, bundle)"
            f" SELECT cell.id, label.id, CASE WHEN label.number = {kind} THEN 0.3 + 0.7 * sure.share"
            f" ELSE 0.7 * (1 - sure.share) / {len(labels) - 1} END, 'interactive'"
            " FROM annotation_cell cell JOIN annotation_smearimage image ON image.id = cell.image_id,"
            " unnest(%s::bigint[]) WITH ORDINALITY label(id, number),"
            " LATERAL (SELECT get_byte(uuid_send(cell.id), 3) / 256.0 AS share) sure"
            " WHERE image.study_id = %s AND cell.status = 'confirmed'",
            [labels, study.pk],
        )
        # Sixteen bytes of a hash again and again, cut so that each pair is a small float16; the heap is in the first.
        cursor.execute(
            "INSERT INTO inference_cellfeatures (cell_id, crop_hash, backbone, vector)"
            " SELECT cell.id, '', 'toy', decode(repeat(translate(md5((" + kind + ")::text), '89abcdef', '01230123')"
            " || translate(md5(cell.id::text), '89abcdef', '01230123'), %s), 'hex') " + ours,
            [width * 2 // 32, study.pk],
        )
        cursor.execute(
            "INSERT INTO annotation_cellmeasures (cell_id, shape, recipe, in_um, values)"
            " SELECT cell.id, md5(cell.id::text), %s, true, ARRAY(SELECT (1000 * random() + 0 * cell.x0)::real"
            f" FROM generate_series(1, {len(MEASURES)})) " + ours,
            [RECIPE, study.pk],
        )
        for table in ("annotation_cell", "annotation_celllabel"):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        # As autovacuum leaves tables on which nobody has just written a hundred thousand rows.
        for table in _TABLES:
            cursor.execute(f"VACUUM ANALYZE {table}")
