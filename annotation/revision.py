"""The revision of an image: what a reader has seen, in one number that grows with everything that changes there."""

from django.db.models import F

from annotation.models import SmearImage


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
