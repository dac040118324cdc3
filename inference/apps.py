from django.apps import AppConfig


class InferenceConfig(AppConfig):
    name = "inference"

    def ready(self) -> None:
        from inference import round_features
        from training.known_features import kept_by

        kept_by(round_features.give, round_features.take)
