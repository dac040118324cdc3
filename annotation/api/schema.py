"""How the API's description (api/v1/schema/) names the way to sign in."""

from drf_spectacular import authentication


class SessionScheme(authentication.SessionScheme):  # type: ignore[no-untyped-call]
    """Our session authentication is the framework's own, but for the status it answers with."""

    target_class = "annotation.api.session.SessionAuthentication"
    priority = 0
