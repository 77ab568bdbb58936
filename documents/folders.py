"""Which files of a folder are meant as documents: for ``ingest``, ``watch`` and the browser alike."""

from __future__ import annotations

import re
from pathlib import PurePath

#: Paths inside the folder that are passed over: hidden files and folders, lock files of offices, what
#: systems leave behind, and files that a program is still writing. JavaScript reads it too (``folders.js``).
PASSED_OVER = (
    r"(^|/)\.|(^|/)(~\$[^/]*|thumbs\.db|desktop\.ini)$"
    r"|(\.(part|partial|crdownload|download|tmp|temp|swp|swx)|~)$"
)
_passed_over = re.compile(PASSED_OVER, re.IGNORECASE)


def is_meant(path: PurePath) -> bool:
    """Whether the file at ``path``, relative to its folder, is to become a document."""
    return not _passed_over.search("/".join(path.parts))
