"""Starting, watching and stopping a child server. Used by the owner process alone."""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from portal.embedded.layout import UNPRIVILEGED_USER, Layout

PR_SET_PDEATHSIG = 1


class ServerError(RuntimeError):
    """An embedded server could not be started."""


def package_folder(package: str) -> Path | None:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def require_package(package: str, distribution: str) -> Path:
    folder = package_folder(package)
    if folder is None:
        raise ServerError(
            f"The package {distribution} is not installed. Install requirements/embedded.txt, "
            "or set DATABASE_URL and REDIS_URL to servers of your own."
        )
    return folder


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the servers run as. ``prefix`` is what a command line needs in front to get there."""

    uid: int
    gid: int
    prefix: tuple[str, ...]

    def own(self, path: Path) -> None:
        """Give ``path`` itself (one of our own folders) to the account."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)


def server_account() -> Account:
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), ())
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ServerError(
            "Postgres does not run as root, and setpriv (util-linux) is missing: run as another user."
        )
    entry = pwd.getpwnam(UNPRIVILEGED_USER)
    # One capability is kept: to pass through folders above DATA_DIR and the wheels that only root
    # may enter (a clone under /root, say). It reads; it writes nothing that is not the account's.
    capabilities = "-all,+dac_read_search"
    return Account(
        entry.pw_uid,
        entry.pw_gid,
        (
            setpriv,
            f"--reuid={entry.pw_uid}",
            f"--regid={entry.pw_gid}",
            "--clear-groups",
            f"--inh-caps={capabilities}",
            f"--ambient-caps={capabilities}",
            "--",
        ),
    )


def die_with_parent(signum: int) -> Callable[[], None]:
    """A ``preexec_fn``: the kernel sends ``signum`` to the child when the owner dies."""
    libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)

    def prepare() -> None:
        os.setsid()
        libc.prctl(PR_SET_PDEATHSIG, signum)

    return prepare


@dataclass
class Server:
    """A running child: how to stop it, and how long that may take."""

    name: str
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals
    stop_seconds: float = 30.0

    def alive(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        if not self.alive():
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(layout: Layout, account: Account, name: str, command: list[str], stop: signal.Signals) -> Server:
    with (layout.logs / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            # --pdeathsig of setpriv, because changing the user clears one that was set before.
            [*with_death_signal(account.prefix, stop), *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent(stop),
            close_fds=True,
        )
    return Server(name, process, stop)


def with_death_signal(prefix: tuple[str, ...], stop: signal.Signals) -> list[str]:
    if not prefix:
        return []
    return [prefix[0], f"--pdeathsig={stop.name.removeprefix('SIG')}", *prefix[1:]]


def wait_until(ready: Callable[[], bool], server: Server, layout: Layout, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if not server.alive() or time.monotonic() > deadline:
            server.stop()
            raise ServerError(f"{server.name} did not start.\n{tail(layout.logs / f'{server.name}.log')}")
        time.sleep(0.03)


def tail(path: Path, lines: int = 15) -> str:
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    return ""
