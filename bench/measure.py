"""What the benchmarks share: times and peak memory of whole processes, and a fit."""

import ctypes
import math
import os
import pathlib
import signal
import statistics
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def program():
    return str(ROOT / "build/release/onnxcompat")


def witness():
    """The program around the system's libonnx, or None where libonnx is not installed."""
    for build in ("release", "dev"):
        path = ROOT / "build" / build / "tests/onnx_witness"
        if path.exists():
            return str(path)
    return None


def seconds(command, limit=None, wanted=(0,)):
    """Wall seconds of one process; None past the limit or for another exit status than wanted."""
    quiet = os.open(os.devnull, os.O_WRONLY)
    start = time.perf_counter()
    child = os.posix_spawn(command[0], command, os.environ, file_actions=[
        (os.POSIX_SPAWN_DUP2, quiet, 1), (os.POSIX_SPAWN_DUP2, quiet, 2)])
    os.close(quiet)
    if limit is not None:
        signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, limit)
    _, status = os.waitpid(child, 0)
    took = time.perf_counter() - start
    if limit is not None:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return took if os.waitstatus_to_exitcode(status) in wanted else None


def least(commands, runs, limit=None, wanted=(0,)):
    """The least time of each command over so many runs, in alternation; None where one failed."""
    times = [[] for _ in commands]
    for _ in range(runs):
        for taken, command in zip(times, commands):
            if None not in taken:
                taken.append(seconds(command, limit, wanted))
    return [None if None in taken else min(taken) for taken in times]


def exponent(sizes, times):
    """The k of times ~ sizes^k, by least squares on logarithms."""
    xs, ys = [math.log(n) for n in sizes], [math.log(t) for t in times]
    mx, my = statistics.mean(xs), statistics.mean(ys)
    return sum((x - mx) * (y - my) for x, y in zip(xs, ys)) / sum((x - mx) ** 2 for x in xs)


def show(value, unit=""):
    return "-" if value is None else f"{value:.3f}{unit}"


def peak(command, limit=None):
    """(wall seconds, peak resident MiB, exit status) of one process; None past the limit. The
    process is the child of a small shell, so that the peak is its own and not that of the
    measuring one, which execve() passes on."""
    become_reaper()
    quiet = os.open(os.devnull, os.O_WRONLY)
    start = time.perf_counter()
    shell = os.posix_spawn("/bin/sh", ["sh", "-c", '"$@" & exit', "sh", *command], os.environ,
                           file_actions=[(os.POSIX_SPAWN_DUP2, quiet, 1),
                                         (os.POSIX_SPAWN_DUP2, quiet, 2)])
    os.close(quiet)
    os.waitpid(shell, 0)
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as children:
        child = next(iter(map(int, children.read().split())))
    if limit is not None:
        signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, limit)
    _, status, usage = os.wait4(child, 0)
    took = time.perf_counter() - start
    if limit is not None:
        signal.setitimer(signal.ITIMER_REAL, 0)
    code = os.waitstatus_to_exitcode(status)
    return None if code == -signal.SIGKILL else (took, usage.ru_maxrss / 1024, code)


def become_reaper():
    """Orphans of our shells become our children: PR_SET_CHILD_SUBREAPER."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
