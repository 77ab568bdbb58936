"""``python -m benchmarks.receiving``: from a body to the digest of its file, hashed on the way or after it.

In process, without database and network, in rounds that take turns. Prints Markdown.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Sequence

SIZES = (10, 50)
ROUNDS = 7
MEGABYTE = 1024 * 1024
HANDLERS = {
    "read again": "django.core.files.uploadhandler.TemporaryFileUploadHandler",
    "on the way": "documents.receiving.HashingUploadHandler",
}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="receiving-") as folder:
        os.environ |= {"DATA_DIR": folder, "DJANGO_SETTINGS_MODULE": "portal.settings"}
        import django

        django.setup()
        measure()


def measure() -> None:
    print("| MB | " + " | ".join(HANDLERS) + " |\n|---|---|---|")
    for size in SIZES:
        taken: dict[str, list[float]] = {name: [] for name in HANDLERS}
        body = os.urandom(size * MEGABYTE)
        for _ in range(ROUNDS):
            for name, handler in HANDLERS.items():
                taken[name].append(seconds(body, handler))
        print(f"| {size} | " + " | ".join(shown(times) for times in taken.values()) + " |")


def seconds(body: bytes, handler: str) -> float:
    from django.core.files.base import ContentFile
    from django.test import RequestFactory, override_settings

    from documents.uploads import checked_digest

    with override_settings(FILE_UPLOAD_HANDLERS=[handler]):
        request = RequestFactory().post("/", {"file": ContentFile(body, name="large")})
        started = time.perf_counter()
        upload = request.FILES["file"]
        checked_digest(upload)
        taken = time.perf_counter() - started
        upload.close()
    return taken


def shown(times: Sequence[float]) -> str:
    return f"{statistics.median(times) * 1000:.0f} ms"


if __name__ == "__main__":
    main()
