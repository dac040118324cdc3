from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("annotation", "0008_history_by_the_clock")]

    operations = [
        migrations.AddField(
            model_name="cell",
            name="tightness",
            field=models.FloatField(blank=True, null=True),
        ),
        # The sums of the worklist need the new column beside the score, out of the index alone.
        migrations.RemoveIndex(model_name="cell", name="open_proposals_of_an_image"),
        migrations.AddIndex(
            model_name="cell",
            index=models.Index(
                condition=models.Q(("shadowed", False), ("status", "proposed")),
                fields=["image"],
                include=("score", "tightness", "run"),
                name="open_proposals_of_an_image",
            ),
        ),
    ]
