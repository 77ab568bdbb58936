from django.db import migrations


class Migration(migrations.Migration):
    """Made the lexical index over ``context``; 0005 makes the ones that took its place."""

    dependencies = [("documents", "0001_initial")]
    operations = []
