"""Who is at work in the API: whoever the session's cookie says, and nobody else."""

from typing import Any

from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

# The id of the user whose page sends the request.
USER_HEADER = "X-Marrowloop-User"


class SomebodyElse(AuthenticationFailed):
    """A page of one user sends its changes with the session of another, who signed in in the same browser since."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name} is signed in in this browser now: nothing is taken under another name.")


class SessionAuthentication(authentication.SessionAuthentication):
    """Signed in by the session's cookie; a request without one is answered 401 (annotation/api/errors.py)."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        found = super().authenticate(request)
        expected = request.headers.get(USER_HEADER)
        if found and expected and expected != str(found[0].pk):
            raise SomebodyElse(found[0].get_username())
        return found

    def authenticate_header(self, request: Request) -> str:
        # Without a scheme to name, the framework answers 403, which says that signing in again would not help.
        return "Session"
