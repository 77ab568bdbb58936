"""The portal's own settings, on a data folder of the test run's own."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

if "PORTAL_TEST_DATA_DIR" not in os.environ:
    folder = tempfile.mkdtemp(prefix="portal-tests-")
    os.environ["PORTAL_TEST_DATA_DIR"] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
# Side by side, each process has servers of its own: one empties the cache after every test.
os.environ["DATA_DIR"] = str(
    Path(os.environ["PORTAL_TEST_DATA_DIR"], os.environ.get("PYTEST_XDIST_WORKER", ""))
)
for name in (
    "LLM_BASE_URL",
    "LLM_MODEL",
    "RERANKER_MODEL",
    "EMBEDDING_MODEL",
    "EMBEDDING_ENGINE",
    "UPLOAD_LIMIT_MB",
):
    os.environ.pop(name, None)

from portal.settings import *  # noqa: E402, F403
from portal.settings import DATABASES, STATIC_ROOT, STORAGES  # noqa: E402

# ServeStatic warns of a folder that is missing.
STATIC_ROOT.mkdir(parents=True, exist_ok=True)

# A test that wants the model loads it.
MODEL_WARMING = False
# Tests open and drop their own database: a pool would hold connections to it.
DATABASES["default"]["OPTIONS"]["pool"] = False
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
