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
def percent(value: float) -> str:
    """0.123 as 12 %, with a minus sign that is one."""
    return f"{100 * value:.0f}\u202f%".replace("-0\u202f", "0\u202f").replace("-", "\u2212")


@register.filter
def ago(value: datetime) -> str:
    """How long ago, in the largest unit only: "3 hours ago"."""
    if (timezone.now() - value).total_seconds() < 60:
        return "just now"
    return f"{timesince(value, depth=1)} ago"
