"""How the web server is started."""

from __future__ import annotations

import sys

from django.conf import settings

#: Requests in flight get this long to end when the server stops.
GRACE_SECONDS = 10


def web_command(host: str, port: int) -> list[str]:
    """uvicorn with the portal's application."""
    command = [sys.executable, "-m", "uvicorn", "portal.asgi:application"]
    command += ["--app-dir", str(settings.BASE_DIR), "--host", host, "--port", str(port)]
    command += ["--workers", str(settings.WEB_PROCESSES), "--timeout-graceful-shutdown", str(GRACE_SECONDS)]
    command += ["--lifespan", "off", "--no-access-log", "--log-level", "warning", "--no-server-header"]
    return command
