"""Readings under /api/v1/: asking for them, one's own cells, and being done."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import study_for
from annotation.models import Reading, Role, SmearImage
from annotation.readings import (
    MOST_CELLS,
    CellsWanted,
    ReadingProgress,
    ReadingRefused,
    Wanted,
    ask,
    cells_to_read,
    end,
    finish,
    progress_of,
    reader_for,
    reading_for,
    readings_of,
)

_MOST_ID = 2**63 - 1


class ReadingIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=200)
    note = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")
    groups = serializers.ListField(child=serializers.IntegerField(min_value=1, max_value=_MOST_ID), max_length=100)
    readers = serializers.ListField(child=serializers.IntegerField(min_value=1, max_value=_MOST_ID), max_length=100)
    each = serializers.IntegerField(min_value=1, max_value=100, required=False, default=1)
    by_all = serializers.FloatField(min_value=0, max_value=1, required=False, default=0.0)
    blind = serializers.BooleanField(required=False, default=True)
    hides_model = serializers.BooleanField(required=False, default=True)
    cells = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=MOST_CELLS, default=list, help_text="These, if any."
    )
    state = serializers.ChoiceField(choices=SmearImage.State.choices, required=False, allow_blank=True, default="")
    patients = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=_MOST_ID), required=False, default=list
    )
    with_label = serializers.IntegerField(
        min_value=1, max_value=_MOST_ID, required=False, allow_null=True, default=None, help_text="That anybody gave."
    )
    number = serializers.IntegerField(min_value=1, max_value=MOST_CELLS, required=False, allow_null=True, default=None)


class StudyReadings(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, study_id: int) -> Response:
        """The readings of a study, the last one first, with the progress of each reader: reviewers see all of them,
        others those that they take part in."""
        study = study_for(request.user, study_id)
        held = study.role_of(request.user)
        every = held is not None and held.includes(Role.REVIEWER)
        readings = Reading.objects.filter(study=study) if every else readings_of(study, request.user)
        return Response({"readings": [progress_json(each) for each in progress_of(readings)]})

    @extend_schema(request=ReadingIn, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, study_id: int) -> Response:
        """Have cells read, for reviewers: by `each` of the readers, and the share `by_all` of the cells by all."""
        study = study_for(request.user, study_id, Role.REVIEWER)
        asked = ReadingIn(data=request.data)
        asked.is_valid(raise_exception=True)
        data = dict(asked.validated_data)
        which = {name: data.pop(name) for name in ("cells", "state", "patients", "number")}
        cells = CellsWanted(label=data.pop("with_label"), **which)
        try:
            reading = ask(study, request.user, Wanted(cells=cells, **data))
        except ReadingRefused as problem:
            raise ValidationError({"detail": str(problem)}) from None
        return Response(_of(reading), status=201)


class ReadingDetail(APIView):
    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, reading_id: int) -> Response:
        """One reading with the progress of its readers, for these and for reviewers; for a reader also `mine`: their
        cells in the order in which they are read, each with its image and whether it is read."""
        reading = reading_for(request.user, reading_id)
        answer = _of(reading)
        part = reading.readers.filter(user=request.user.pk).first()
        if part is not None:
            answer["mine"] = [
                {"cell": str(row.cell_id), "image": row.cell.image_id, "read": row.read_at is not None}
                for row in cells_to_read(part)
            ]
        return Response(answer)


class ReadingDone(APIView):
    @extend_schema(request=None, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, reading_id: int) -> Response:
        """Be done with one's own part: reveals what the others said. 409 while cells are left."""
        reader = reader_for(request.user, reading_id)
        try:
            finish(reader)
        except ReadingRefused as problem:
            return Response({"detail": str(problem)}, status=409)
        return Response(_of(reader.reading))


class ReadingEnd(APIView):
    @extend_schema(request=None, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, reading_id: int) -> Response:
        """End a reading for all its readers, for reviewers."""
        reading = reading_for(request.user, reading_id, Role.REVIEWER)
        end(reading)
        return Response(_of(reading))


def _of(reading: Reading) -> dict[str, Any]:
    (progress,) = progress_of(Reading.objects.filter(pk=reading.pk))
    return progress_json(progress)


def progress_json(progress: ReadingProgress) -> dict[str, Any]:
    """A reading with its readers."""
    reading = progress.reading
    return {
        "id": reading.pk,
        "name": reading.name,
        "note": reading.note,
        "groups": [group.pk for group in reading.groups.all()],
        "blind": reading.blind,
        "hides_model": reading.hides_model,
        "asked_by": reading.asked_by.get_username(),
        "created_at": reading.created_at,
        "ended_at": reading.ended_at,
        "cells": progress.cells,
        "readers": [
            {
                "id": part.reader.user_id,
                "name": part.reader.user.get_username(),
                "cells": part.cells,
                "read": part.read,
                "finished_at": part.reader.finished_at,
            }
            for part in progress.parts
        ],
    }
