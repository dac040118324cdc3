"""First proposals without a model: precision and recall at IoU 0.5, on real blood and marrow.

Run: python -m tests.benchmarks.first_proposals
Manescu et al. 2023 state 0.92 and 0.94 for the method on their own data (single nuclei); another task, shown beside.
"""

from tests.benchmarks.product import BLOOD, BLOOD_FORMAT, MARROW, MARROW_FORMAT, MARROW_TRUTH, product, report


def main() -> None:
    with product() as it:
        val = BLOOD / "val"
        sets = {
            "blood": (val / "images", val / "labels", BLOOD_FORMAT),
            "marrow": (MARROW / "images", MARROW_TRUTH, MARROW_FORMAT),
        }
        for name, (images, truth, how) in sets.items():
            it.call("import_images", images, "--study", name)
            proposed = it.call("propose", "--study", name, "--bundle", "watershed")
            judged = it.call("evaluate", "--study", name, "--truth", truth, *how)
            report(
                f"first_proposals_{name}",
                seconds_per_image=proposed["seconds_per_image"],
                **judged,
                paper={"precision": 0.92, "recall": 0.94},
            )


if __name__ == "__main__":
    main()
