from training.models.bundle import Bundle, Kind
from training.models.job import ENDED, HELD, LIVE, Job, JobState
from training.models.judgement import Judgement
from training.models.promotion import Promotion
from training.models.round import Round
from training.models.search import Search, SearchHelper

__all__ = [
    "ENDED",
    "HELD",
    "LIVE",
    "Bundle",
    "Job",
    "JobState",
    "Judgement",
    "Kind",
    "Promotion",
    "Round",
    "Search",
    "SearchHelper",
]
