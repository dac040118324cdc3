"""Seconds to propose on a field of 2560×1920 once the model is loaded. Bar: 1.5 s.

Run: python -m tests.benchmarks.field_speed
The bundle is trained for one epoch on synthetic smears: the time depends on the network's size, not on its skill.
Synthetic fields stand in, since the shared data hold none of this size.
"""

from tests.benchmarks.product import product, report


def main() -> None:
    with product() as it:
        study = ["--study", "speed"]
        demo = ["--patients", "3", "--images-per-patient", "2", "--size", "2560x1920", "--seed", "5"]
        it.call("make_demo", *study, *demo)
        it.call("train", "detector", *study, "--set", "validation=none", "--set", "epochs=1", "--set", "size=1024")
        proposed = it.call("propose", *study, "--images", "all")
        without = it.call("propose", *study, "--images", "all", "--bundle", "watershed")
        report(
            "field_speed",
            seconds_per_field=proposed["seconds_per_image"],
            seconds_per_field_without_a_model=without["seconds_per_image"],
            synthetic=True,
            bars={"seconds_per_field": 1.5},
        )


if __name__ == "__main__":
    main()
