"""Numbers and times as people read them."""

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.timesince import timesince

register = template.Library()


@register.filter
def thousands(value: int) -> str:
    """12345 as 12 345, with narrow spaces that do not break."""
    return f"{value:,}".replace(",", "\u202f")


@register.filter
def ago(value: datetime) -> str:
    """How long ago, in the largest unit only: "3 hours ago"."""
    if (timezone.now() - value).total_seconds() < 60:
        return "just now"
    return f"{timesince(value, depth=1)} ago"
