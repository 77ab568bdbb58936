"""How static files are kept: hashed and compressed, with the imports between modules hashed as well."""

from __future__ import annotations

from servestatic.storage import CompressedManifestStaticFilesStorage


class StaticStorage(CompressedManifestStaticFilesStorage):
    """Without this, a module imports the next one by a name that a browser may have kept from before."""

    support_js_module_import_aggregation = True
