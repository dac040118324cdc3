"""Somebody's session, as a browser is given it."""

from typing import Any

from django.conf import settings
from django.test import Client


def cookie_of(user: Any, address: str) -> dict[str, str]:
    """The cookie of a new session in which somebody is signed in, as Playwright takes it."""
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    return {"name": name, "value": client.cookies[name].value, "url": address}
