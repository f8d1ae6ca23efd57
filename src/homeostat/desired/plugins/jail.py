"""The door of the jail: the program that a plugin's command is started through. Runs by itself (``python -I -S jail.py``), so it imports no package of ours.

It takes away what a command must not have, in this order, and becomes the command: rights (root becomes nobody), resources (``setrlimit``), the file
system but for the private folder and the system's programs (Landlock), the network, and the way out of its process group (seccomp). None of it
needs privileges or namespaces, so it is the same in a pod without any. A kernel that refuses one of them is told on stderr, and nothing
is run: the exit code is then :data:`REFUSED` and the message begins with :data:`MARK`. Nothing here can be undone by the command or its children.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import struct
import sys
from typing import NoReturn

REFUSED = 126
MARK = "homeostat: "
NOBODY = 65534

_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 4, 22, 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""Landlock's system calls, of the same numbers on every machine."""

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
_EVERYTHING = ((1 << 13) - 1, (1 << 14) - 1, (1 << 15) - 1, (1 << 15) - 1, (1 << 16) - 1)
"""All rights that Landlock of version 1, 2, … knows; what is handled and not granted is denied."""
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_LOOK = _EXECUTE | _READ_FILE | _READ_DIR
_SCOPES = 0b11
"""From version 6 on: no signals to processes outside, no sockets of theirs without a place in the file system."""

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix/store", "/proc/self", "/proc/cpuinfo", "/proc/meminfo",
           "/proc/stat", "/proc/filesystems", "/proc/sys", "/sys/devices/system/cpu", "/sys/kernel/mm/transparent_hugepage")  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

# (the machine in the kernel's words, socket, setpgid, setsid); io_uring_setup has one number everywhere.
_CALLS = {"x86_64": (0xC000003E, 41, 109, 112), "aarch64": (0xC00000B7, 198, 154, 157)}
_IO_URING = 425
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_EACCES, _ENOSYS = 13, 38

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """``argv[1]`` is JSON: ``private`` and ``folder`` (where it may write, where it starts), ``readable`` (more folders to read), ``network``, and the limits
    ``cpu`` (seconds), ``memory``, ``file`` (bytes) and ``processes``. The rest of ``argv`` is the command.
    """
    orders = json.loads(sys.argv[1])
    command = sys.argv[2:]
    try:
        become_nobody()
        limit(orders)
        os.chdir(orders["folder"])
        if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            refuse("the kernel does not let privileges be given up")
        lock_files(orders["private"], [*_SYSTEM, *orders["readable"]])
        lock_calls(network=orders["network"])
    except OSError as error:
        refuse(f"the jail cannot be closed: {error.strerror}")
    try:
        os.execvpe(command[0], command, os.environ)  # noqa: S606 - no shell is what we want
    except OSError as error:
        refuse(f"{command[0]}: {error.strerror}")


def refuse(reason: str) -> NoReturn:
    sys.stderr.write(MARK + reason)
    sys.stderr.flush()
    os._exit(REFUSED)


def become_nobody() -> None:
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)


def limit(orders: dict[str, int]) -> None:
    memory = orders["memory"]
    for what, asked in (
        (resource.RLIMIT_CPU, orders["cpu"]),
        # What is written to counts in full; address space is cheap, and some languages reserve plenty of it.
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_AS, 8 * memory),
        (resource.RLIMIT_FSIZE, orders["file"]),
        (resource.RLIMIT_NPROC, running() + orders["processes"]),
        (resource.RLIMIT_NOFILE, 1024),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 64 * 1024),
    ):
        hard = resource.getrlimit(what)[1]
        most = asked if hard == resource.RLIM_INFINITY else min(asked, hard)
        # Of processor time there are two seconds more in which to die of the signal that names the reason.
        resource.setrlimit(what, (most, most + 2 if what == resource.RLIMIT_CPU and hard == resource.RLIM_INFINITY else most))


def running() -> int:
    """The threads that our user has already: the kernel counts them all together, and the limit is meant for the command alone."""
    threads = 0
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                if os.stat(f"/proc/{name}").st_uid == os.getuid():
                    threads += len(os.listdir(f"/proc/{name}/task"))
            except OSError:
                continue
    return threads


def lock_files(private: str, readable: list[str]) -> None:
    """From here on: the private folder to do as it likes, the system to read and to run, and nothing else."""
    version = _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        refuse("this kernel has no Landlock (Linux 5.13), which keeps a plugin from the files of others")
    everything = _EVERYTHING[min(version, len(_EVERYTHING)) - 1]
    size = 24 if version >= 6 else 8
    ruleset = _call(_CREATE_RULESET, struct.pack("QQQ", everything, 0, _SCOPES)[:size], ctypes.c_size_t(size), ctypes.c_uint32(0))
    _permit(ruleset, private, everything)
    for place in readable:
        _permit(ruleset, place, everything & _LOOK)
    for place in _DEVICES:
        _permit(ruleset, place, everything & (_READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL))
    _call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)


def _permit(ruleset: int, place: str, rights: int) -> None:
    try:
        where = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no permission
    if not os.path.isdir(place):
        rights &= _OF_FILES
    _call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(1), struct.pack("=Qi", rights, where), ctypes.c_uint32(0))
    os.close(where)


def lock_calls(*, network: bool) -> None:
    """No sockets without ``network``; and nobody leaves the process group, for it is by the group that all are ended."""
    machine = platform.machine()
    if machine not in _CALLS:
        refuse(f"plugins are not run on {machine}: which system calls to refuse there is not known")
    architecture, socket, *group = _CALLS[machine]
    program = [(0x20, 0, 0, 4), (0x15, 1, 0, architecture), (0x06, 0, 0, _KILL), (0x20, 0, 0, 0)]
    if machine == "x86_64":  # the numbers of its second set of calls, x32
        program += [(0x35, 0, 1, 0x40000000), (0x06, 0, 0, _ERROR | _ENOSYS)]
    program += [(0x15, 0, 1, _IO_URING), (0x06, 0, 0, _ERROR | _ENOSYS)]
    if not network:
        program += [(0x15, 0, 1, socket), (0x06, 0, 0, _ERROR | _EACCES)]
    for call in group:  # they are told that it went well: nobody who asks needs it to
        program += [(0x15, 0, 1, call), (0x06, 0, 0, _ERROR)]
    program.append((0x06, 0, 0, _ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    whole = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
    if _libc.prctl(_PR_SET_SECCOMP, 2, whole, 0, 0):
        refuse("this kernel does not filter system calls (seccomp), which keeps a plugin from the network")


def _call(number: int, *arguments: object) -> int:
    result: int = _libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


if __name__ == "__main__":
    main()
