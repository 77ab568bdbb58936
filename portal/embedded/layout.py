"""Where the embedded servers keep their files, and how they are reached."""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

#: A Unix socket's path ends at 107 bytes; ``.s.PGSQL.5432.lock`` and a slash take 19 of them.
SOCKET_FOLDER_LIMIT = 107 - 19
UNPRIVILEGED_USER = "nobody"
DATABASE = "portal"
ROLE = "portal"


@dataclass(frozen=True)
class Layout:
    """The paths under one ``DATA_DIR``."""

    data_dir: Path

    @property
    def postgres(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def redis(self) -> Path:
        return self.data_dir / "redis"

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"

    @property
    def password_file(self) -> Path:
        return self.data_dir / "secrets" / "postgres"

    @property
    def owner_lock(self) -> Path:
        return self.data_dir / "locks" / "owner"

    @property
    def users_lock(self) -> Path:
        return self.data_dir / "locks" / "users"

    @property
    def state_file(self) -> Path:
        return self.data_dir / "locks" / "state"

    @cached_property
    def sockets(self) -> Path:
        """The folder of the sockets: in the data folder, or a short one when that path is too long."""
        inside = self.data_dir / "run"
        if len(os.fsencode(inside)) <= SOCKET_FOLDER_LIMIT:
            return inside
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]
        return Path(f"/tmp/portal-{os.getuid()}-{digest}")  # noqa: S108 - checked by make_folders

    @property
    def redis_socket(self) -> Path:
        return self.sockets / "redis.sock"

    @property
    def postgres_socket(self) -> Path:
        return self.sockets / ".s.PGSQL.5432"

    @property
    def redis_url(self) -> str:
        return f"unix://{self.redis_socket}?db=0"

    def database(self, password: str) -> dict[str, Any]:
        """Django's connection settings."""
        return {
            "NAME": DATABASE,
            "USER": ROLE,
            "PASSWORD": password,
            "HOST": str(self.sockets),
            "PORT": "",
        }

    def make_folders(self) -> None:
        """Create what is missing, for the owner's eyes only. Never touches a folder above."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        for folder in (self.logs, self.password_file.parent, self.owner_lock.parent, self.sockets):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The short socket folder stands in a place where others can write: it has to be ours.
        status = self.sockets.lstat()
        ours = {os.geteuid(), server_uid()}
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in ours or status.st_mode & 0o077:
            raise PermissionError(f"{self.sockets} is not a folder of this user's alone")


def server_uid() -> int:
    """Whom the servers run as: Postgres refuses root, who gets them as another user."""
    return os.geteuid() or pwd.getpwnam(UNPRIVILEGED_USER).pw_uid
