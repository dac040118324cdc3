"""Who is at work in the API: whoever the session's cookie says."""

from rest_framework import authentication
from rest_framework.request import Request


class SessionAuthentication(authentication.SessionAuthentication):
    """Signed in by the session's cookie; a request without one is answered 401 (annotation/api/errors.py)."""

    def authenticate_header(self, request: Request) -> str:
        # Without a scheme to name, the framework answers 403, which says that signing in again would not help.
        return "Session"
