"""The revision of an image: what a reader has seen, in one number that grows with everything that changes there."""

from datetime import datetime

from django.db import connection
from django.db.models import F

from annotation.models import SmearImage, Study


def next_revision(image: SmearImage, *fields: str) -> int:
    """Raise the image's revision by one and save `fields` of it with the same statement; the new revision.

    Call with the image's row locked (select_for_update), in the transaction of the change itself: then whoever reads
    revision n has everything up to n, and stamps what changed (Cell.revision, Comment.revision) with what this
    returns. Counts on from the row, not from the object at hand, which may be older. Two queries.
    """
    row = SmearImage.objects.filter(pk=image.pk)
    row.update(revision=F("revision") + 1, **{name: getattr(image, name) for name in fields})
    image.revision = row.values_list("revision", flat=True).get()
    return image.revision


def still_moment(study: Study) -> datetime:
    """The present, by the database's clock, with nothing in the making: what is read of the study's images from now on,
    within the caller's transaction, is what their history says of this moment (annotation/as_of.py).

    Waits for the changes that have begun; whoever would begin one, or bring an image, waits for the caller's end.
    Three queries.
    """
    # Arrivals lock the study first, and everybody locks images in the order of their keys.
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    list(SmearImage.objects.select_for_update(no_key=True).filter(study=study).order_by("pk").values_list("pk"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        at: datetime = cursor.fetchone()[0]
    return at
