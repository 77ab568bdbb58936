"""What a parser gives up before it opens a file: memory, time, the network, other files, other programs.

Limits always hold. The kernel's further fences (namespaces, Landlock, seccomp) are put up where the kernel
has them, and skipped where it has none: a container or an older kernel may refuse any of them.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
from collections.abc import Iterable
from dataclasses import dataclass

MEGABYTE = 1024 * 1024

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_THREAD = 0x10000000, 0x40000000, 0x00010000

#: System calls of Landlock, the same on all processors.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
#: Kinds of access to files that each version of Landlock knows, from version 1 on.
_ACCESS_BITS = (13, 14, 15, 15, 16)
#: What every program needs of the system: neither passwords nor the portal's data lie in any of them.
_SYSTEM = (
    *(f"{top}/{name}" for top in ("/usr", "/usr/local") for name in ("bin", "lib", "lib64", "share")),
    "/lib",
    "/lib64",
    "/bin",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/alternatives",
    "/dev/urandom",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
)

#: For each processor: its number for seccomp, and the system calls that no parser makes.
_NEVER = {
    # socket, connect, socketpair, ptrace, process_vm_readv/writev, io_uring_setup, bpf, userfaultfd,
    # keyctl, add_key, request_key, perf_event_open, mount, unshare, setns
    "x86_64": (0xC000003E, (41, 42, 53, 101, 310, 311, 425, 321, 323, 250, 248, 249, 298, 165, 272, 308)),
    "aarch64": (0xC00000B7, (198, 203, 199, 117, 270, 271, 425, 280, 282, 219, 217, 218, 241, 40, 97, 268)),
}
#: execve, execveat, fork, vfork; clone; clone3
_STARTING = {"x86_64": ((59, 322, 57, 58), 56, 435), "aarch64": ((221, 281), 220, 435)}
_EPERM, _ENOSYS = 1, 38


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may cost: bytes of memory and of answer, seconds of processor and of wall clock."""

    memory: int = 1024 * MEGABYTE
    cpu_seconds: int = 60
    wall_seconds: float = 120
    answer: int = 256 * MEGABYTE


def confine(limits: Limits, parent: int, readable: Iterable[str], *, may_start_programs: bool) -> None:
    """Give up all that a parser does not need, for good. Ends the process when its parent is gone.

    ``readable`` are the files and folders that may still be read.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    # No network. Root keeps its user namespace: in a new one it would lose the right to read files of
    # other users.
    libc.unshare(_CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWUSER | _CLONE_NEWNET)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # After unshare, which clears it: die with the worker, whatever kills the worker.
    die_with_parent(libc)
    if os.getppid() != parent:
        os._exit(1)
    _fence_files(libc, [*_SYSTEM, *readable])
    _fence_calls(libc, may_start_programs)
    _limit(limits)


def die_with_parent(libc: ctypes.CDLL | None = None) -> None:
    """The kernel ends this process when its parent ends, however that comes about."""
    (libc or ctypes.CDLL(None)).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _limit(limits: Limits) -> None:
    for what, amount in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        hard = amount + 1 if what == resource.RLIMIT_CPU else amount
        resource.setrlimit(what, (amount, hard))


# Landlock: which files may be opened


def _fence_files(libc: ctypes.CDLL, readable: Iterable[str]) -> None:
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return
    files = (1 << _ACCESS_BITS[min(version, len(_ACCESS_BITS)) - 1]) - 1
    network = 0b11 if version >= 4 else 0  # TCP: bind and connect
    others = 0b11 if version >= 6 else 0  # sockets without a file, and signals, of other processes
    rules = struct.pack("QQQ", files, network, others)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    ruleset = libc.syscall(_CREATE_RULESET, rules, ctypes.c_size_t(len(rules)), 0)
    if ruleset < 0:
        return
    for path in readable:
        _allow(libc, ruleset, path, _READ_FILE | _READ_DIR | _EXECUTE)
    _allow(libc, ruleset, "/dev/null", _READ_FILE | _WRITE_FILE)
    libc.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, access: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not os.path.isdir(path):
        access &= ~_READ_DIR
    libc.syscall(_ADD_RULE, ruleset, 1, struct.pack("=Qi", access, opened), 0)
    os.close(opened)


# seccomp: which calls the kernel takes


def _fence_calls(libc: ctypes.CDLL, may_start_programs: bool) -> None:
    """No sockets of any kind (those of the database are files), no look at other processes.

    Threads are let be, as libraries start some; programs only for text recognition.
    """
    machine = os.uname().machine
    if machine not in _NEVER:
        return
    program = _filter(machine, may_start_programs)
    code = ctypes.create_string_buffer(program, len(program))
    described = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code))
    libc.prctl(_PR_SET_SECCOMP, 2, described, 0, 0)


def _filter(machine: str, may_start_programs: bool) -> bytes:
    """Classic BPF over (call's number, processor, …, arguments)."""
    processor, never = _NEVER[machine]
    starting, clone, clone3 = _STARTING[machine]
    lines = [_load(4), *_unless_equal(processor, _EPERM), _load(0)]
    if machine == "x86_64":
        lines += [_jump(0x35, 0x40000000, 0, 1), _refuse(_EPERM)]  # calls in the x32 fashion
    for number in never if may_start_programs else never + starting:
        lines += [_jump(0x15, number, 0, 1), _refuse(_EPERM)]
    if not may_start_programs:
        # clone3 has its flags in memory, where a filter cannot look; libc then takes clone.
        lines += [_jump(0x15, clone3, 0, 1), _refuse(_ENOSYS), _jump(0x15, clone, 0, 3)]
        lines += [_load(16), _jump(0x45, _CLONE_THREAD, 1, 0), _refuse(_EPERM)]
    return b"".join([*lines, struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)])


def _load(offset: int) -> bytes:
    return struct.pack("HBBI", 0x20, 0, 0, offset)


def _jump(code: int, value: int, if_so: int, if_not: int) -> bytes:
    return struct.pack("HBBI", code, if_so, if_not, value)


def _refuse(error: int) -> bytes:
    return struct.pack("HBBI", 0x06, 0, 0, 0x00050000 | error)


def _unless_equal(value: int, error: int) -> list[bytes]:
    return [_jump(0x15, value, 1, 0), _refuse(error)]
