"""The networks that `bench/executor` times: the topologies of testdata/networks, whose weights are
inputs there, with weights filled in so that values keep their size from layer to layer; and an
ensemble of boosted trees, whose topology is its weights. The same in every run."""

import array
import math
import random
import re
import struct
import subprocess

import measure
from models import FLOAT, field

TEXTS = measure.ROOT / "testdata/networks"
POOL = 1 << 16  # distinct random weights; longer tensors repeat them

# How a weight is filled, by what follows the last _ in its name: one value, or uniform random ones
# around zero that keep the variance of a layer which sums so many products (and halves it, as Relu).
VALUES = {"bias": 0.01, "mean": 0.0, "scale": 1.0, "variance": 1.0}
SUMMANDS = {
    "weight": lambda dims: math.prod(dims[1:]),  # of Conv, and of Gemm with transB
    "matrix": lambda dims: 2 * dims[0],          # of MatMul
    "gates": lambda dims: 6 * dims[-1],          # of LSTM
    "table": lambda dims: 6,                     # of Gather
}


def _weights(text):
    """(name, dims) of the inputs that are weights."""
    signature = re.sub("#.*", "", text).partition("=>")[0]
    found = re.findall(r"float\[([\d, ]+)\] (\w+_(\w+))", signature)
    return [(name, [int(d) for d in dims.split(",")]) for dims, name, _ in found]


def _initializers(weights):
    """Graph fields for them."""
    source = random.Random(1)
    pool = array.array("f", (source.uniform(-1, 1) for _ in range(POOL)))
    for name, dims in weights:
        kind = name.rpartition("_")[2]
        count = math.prod(dims)
        if kind in VALUES:
            raw = struct.pack("<f", VALUES[kind]) * count
        else:
            bound = math.sqrt(6 / SUMMANDS[kind](dims))
            raw = array.array("f", (v * bound for v in pool)).tobytes()
            start = 4 * source.randrange(POOL)
            raw = ((raw[start:] + raw[:start]) * (count // POOL + 1))[:4 * count]
        yield field(5, b"".join(field(1, d) for d in dims) + field(2, FLOAT) + field(8, name)
                    + field(9, raw))


def _varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _fields(data):
    """(number, contents, the whole field) of a message in wire format."""
    at = 0
    while at < len(data):
        start = at
        tag, at = _varint(data, at)
        begin, end = at, at + {1: 8, 5: 4}.get(tag & 7, 0)
        if tag & 7 == 0:
            _, end = _varint(data, at)
        elif tag & 7 == 2:
            length, begin = _varint(data, at)
            end = begin + length
        at = end
        yield tag >> 3, data[begin:end], data[start:end]


def _convert(text_path, path):
    subprocess.run([measure.program(), "convert", text_path, "-o", path, "--ir-version", "8",
                    "--prove", "off"], check=True, stdout=subprocess.DEVNULL)


def _filled(name):
    def save(path):
        text_path = TEXTS / f"{name}.onnxtxt"
        weights = _weights(text_path.read_text())
        _convert(text_path, path)
        names = {name.encode() for name, _ in weights}
        with open(path, "rb") as file:
            model = list(_fields(file.read()))
        with open(path, "wb") as out:
            for number, contents, whole in model:
                if number != 7:  # graph
                    out.write(whole)
                    continue
                graph = b"".join(part for inner, value, part in _fields(contents)
                                 if inner != 11 or next(_fields(value))[1] not in names)
                out.write(field(7, graph + b"".join(_initializers(weights))))
    return name, save


def _boosted_trees(path, trees=200, depth=7, features=32, rows=1000):
    """Full binary trees of a regressor, nodes numbered as in a heap."""
    source = random.Random(1)
    inner = (1 << depth) - 1
    nodes = {key: [] for key in ("treeids", "nodeids", "featureids", "modes", "values",
                                 "truenodeids", "falsenodeids", "missing_value_tracks_true")}
    target = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}
    for tree in range(trees):
        for i in range(2 * inner + 1):
            leaf = i >= inner
            nodes["treeids"].append(tree)
            nodes["nodeids"].append(i)
            nodes["featureids"].append(0 if leaf else source.randrange(features))
            nodes["modes"].append('"LEAF"' if leaf else '"BRANCH_LEQ"')
            nodes["values"].append(0.0 if leaf else source.uniform(-0.3, 0.8))
            nodes["truenodeids"].append(0 if leaf else 2 * i + 1)
            nodes["falsenodeids"].append(0 if leaf else 2 * i + 2)
            nodes["missing_value_tracks_true"].append(0)
            if leaf:
                target["treeids"].append(tree)
                target["nodeids"].append(i)
                target["ids"].append(0)
                target["weights"].append(source.uniform(-0.1, 0.1))
    attributes = {f"nodes_{k}": v for k, v in nodes.items()}
    attributes |= {f"target_{k}": v for k, v in target.items()}
    lists = ", ".join(f"{k} = [{', '.join(map(str, v))}]" for k, v in attributes.items())
    text_path = f"{path}.onnxtxt"
    with open(text_path, "w") as out:
        out.write('<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 3]>\n'
                  f"boosted_trees (float[{rows}, {features}] x) => (float[{rows}, 1] y) {{\n"
                  f"y = ai.onnx.ml.TreeEnsembleRegressor <n_targets = 1, {lists}> (x) }}\n")
    _convert(text_path, path)


# (name, function that writes the model to a path)
ALL = [_filled(name) for name in ("alexnet", "densenet121", "inception_v1", "resnet50", "shufflenet",
                                  "squeezenet", "vgg19", "bert_base", "lstm")]
ALL.append(("boosted_trees", _boosted_trees))
