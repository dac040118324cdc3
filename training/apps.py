from django.apps import AppConfig


class TrainingConfig(AppConfig):
    name = "training"

    def ready(self) -> None:
        from annotation.moments import read_moments_by
        from training.moments import round_moment

        read_moments_by(round_moment)
