from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotation", "0006_effort_and_states"),
    ]

    operations = [
        migrations.AddField(
            model_name="smearimage",
            name="disagreement",
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="smearimage",
            name="novelty",
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="smearimage",
            name="learning_rank",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="study",
            name="next_order",
            field=models.CharField(
                choices=[
                    ("teaches", "Teaches the detector most"),
                    ("uncertain", "Most uncertain first"),
                    ("disagree", "Detectors disagree most"),
                    ("unlike", "Least like the annotated"),
                    ("random", "In random order"),
                ],
                default="teaches",
                max_length=16,
            ),
        ),
    ]
