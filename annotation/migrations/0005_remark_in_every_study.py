from django.db import migrations


def give_remark(apps, schema_editor):
    """Studies made before there were text attributes get the one that a new study begins with."""
    Study = apps.get_model("annotation", "Study")
    TextAttribute = apps.get_model("annotation", "TextAttribute")
    for study in Study.objects.filter(text_attributes__isnull=True):
        TextAttribute.objects.create(study=study, name="Remark")


class Migration(migrations.Migration):
    dependencies = [("annotation", "0004_open_proposals_index")]

    operations = [migrations.RunPython(give_remark, migrations.RunPython.noop)]
