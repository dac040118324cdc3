from django.apps import AppConfig


class InferenceConfig(AppConfig):
    name = "inference"

    def ready(self) -> None:
        from annotation.label_changes import labels_changed
        from inference import interactive, round_features
        from training.known_features import kept_by

        kept_by(round_features.give, round_features.take)
        labels_changed.connect(interactive.learn_again, dispatch_uid="heads learn of labels")
