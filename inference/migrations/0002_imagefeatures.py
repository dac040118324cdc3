import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0007_image_order"),
        ("inference", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="ImageFeatures",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("bundle", models.CharField(max_length=64)),
                ("vector", models.BinaryField()),
                (
                    "image",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="annotation.smearimage",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["bundle"], name="inference_i_bundle_idx")],
                "constraints": [
                    models.UniqueConstraint(fields=("image", "bundle"), name="one_vector_an_image_and_bundle")
                ],
            },
        ),
    ]
