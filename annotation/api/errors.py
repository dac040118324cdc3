"""What the API answers when it cannot do what it was asked: always JSON, always one sentence that a person can read.

401 with the code "signed_out" where nobody is signed in (403 stays for what one may not do, and for a missing CSRF
token), 507 where a disk of the server is full, 503 where the database does not answer. After the last two a client
keeps what it has and tries again.
"""

import errno
import logging
import sys
from collections.abc import Iterator
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.defaults import server_error as server_error_page
from psycopg.errors import DiskFull
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.response import Response
from rest_framework.views import exception_handler

from annotation.api.session import SomebodyElse

API = "/api/"
DISK_FULL = "The disk of the server is full: nothing of this was kept, so keep it and try again later."
NO_DATABASE = "The database of the server does not answer: nothing of this was kept, so keep it and try again."
MISTAKE = "The server made a mistake; its log says which."
SIGNED_OUT = "Nobody is signed in here any more: sign in again."

_log = logging.getLogger(__name__)


def answer(exc: Exception, context: dict[str, Any]) -> Response | None:
    """The framework's exception handler for the views of the API."""
    if isinstance(exc, NotAuthenticated | AuthenticationFailed):
        response = exception_handler(exc, context)
        assert response is not None
        response.data = {"detail": SIGNED_OUT, "code": "signed_out"}
        if isinstance(exc, SomebodyElse):
            response.data = {"detail": str(exc), "code": "signed_out", "user": exc.name}
        return response
    trouble = _trouble(exc)
    if trouble is not None:
        status, sentence = trouble
        _log.error("%s answers %s.", context["request"].path, status, exc_info=exc)
        return Response({"detail": sentence}, status=status)
    return exception_handler(exc, context)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler for what no view has caught, such as a session that cannot be read: JSON under /api/."""
    if not request.path.startswith(API):
        return server_error_page(request)
    fault = sys.exc_info()[1]
    status, sentence = (_trouble(fault) if fault else None) or (500, MISTAKE)
    return JsonResponse({"detail": sentence}, status=status)


def _trouble(fault: BaseException) -> tuple[int, str] | None:
    """Status and sentence for trouble of the machine; None for anything else."""
    chain = list(_causes(fault))
    if any(isinstance(one, DiskFull) or _is_full_disk(one) for one in chain):
        return 507, DISK_FULL
    if any(isinstance(one, OperationalError | InterfaceError) for one in chain):
        return 503, NO_DATABASE
    return None


def _is_full_disk(fault: BaseException) -> bool:
    return isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT)


def _causes(fault: BaseException | None) -> Iterator[BaseException]:
    while fault is not None:
        yield fault
        fault = fault.__cause__
