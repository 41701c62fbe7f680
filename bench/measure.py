"""What the benchmarks share: chain models, times of whole processes, and a fit."""

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


def _varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, value):
    """A field of the wire format: bytes and text are length-delimited, numbers are varints."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def chain(nodes, opset):
    """A serialized model: float[8] x -> Relu -> Add one -> Relu -> … -> y, with that many nodes."""
    def value_info(name):
        shape = field(2, field(1, field(1, 8)))  # shape { dim { dim_value: 8 } }
        tensor_type = field(1, field(1, 1) + shape)  # tensor_type { elem_type: FLOAT, … }
        return field(1, name) + field(2, tensor_type)

    graph = bytearray()
    value = "x"
    for i in range(nodes):
        result = "y" if i == nodes - 1 else f"v{i}"
        inputs = field(1, value) if i % 2 == 0 else field(1, value) + field(1, "one")
        graph += field(1, inputs + field(2, result) + field(3, f"n{i}")
                        + field(4, "Relu" if i % 2 == 0 else "Add"))
        value = result
    graph += field(2, "chain")
    one = field(2, 1) + field(8, "one") + field(9, b"\0\0\x80\x3f")  # scalar 1.0f
    graph += field(5, one) + field(11, value_info("x")) + field(12, value_info("y"))
    return field(1, 4) + field(7, bytes(graph)) + field(8, field(1, "") + field(2, opset))


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
