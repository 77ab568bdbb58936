from django.db import migrations

from documents import lexical


def create(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        lexical.create_index(cursor)


def drop(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        lexical.drop_index(cursor)


class Migration(migrations.Migration):
    dependencies = [("documents", "0001_initial")]
    operations = [migrations.RunPython(create, drop)]
