"""Networks of well-known architectures with generated weights, written as ONNX files: what
`bench/executor` times. No library is needed; weights are drawn so that values keep their size from
layer to layer."""

import array
import math
import random
import struct

from models import field

FLOAT, INT64 = 1, 7
POOL = 1 << 16  # distinct random weights; longer tensors repeat them


def _value_info(name, elem_type, dims):
    shape = b"".join(field(1, field(1, dim)) for dim in dims)
    return field(1, name) + field(2, field(1, field(1, elem_type) + field(2, shape)))


def _attribute(name, value):
    out = field(1, name)
    if isinstance(value, list) and value and isinstance(value[0], str):
        return out + b"".join(field(9, v) for v in value) + field(20, 8)
    if isinstance(value, list) and value and isinstance(value[0], float):
        packed = array.array("f", value).tobytes()
        return out + field(7, packed) + field(20, 6)
    if isinstance(value, list):
        return out + b"".join(field(8, v) for v in value) + field(20, 7)
    if isinstance(value, float):
        return out + b"\x15" + struct.pack("<f", value) + field(20, 1)
    if isinstance(value, str):
        return out + field(4, value) + field(20, 3)
    return out + field(3, value) + field(20, 2)


class Network:
    """A graph under construction. Methods add nodes and return the name of the result."""

    def __init__(self, name, opset, seed=1):
        self.name, self.opset, self.domains = name, opset, {"": opset}
        self.random = random.Random(seed)
        pool = array.array("f", (self.random.uniform(-1, 1) for _ in range(POOL)))
        self.pool = pool.tobytes()
        self.nodes, self.weights, self.inputs, self.outputs = [], [], [], []
        self.count = 0

    def fresh(self, stem):
        self.count += 1
        return f"{stem}_{self.count}"

    def input(self, name, dims, elem_type=FLOAT):
        self.inputs.append(_value_info(name, elem_type, dims))
        return name

    def output(self, name, dims, elem_type=FLOAT):
        self.outputs.append(_value_info(name, elem_type, dims))

    def tensor(self, dims, raw, elem_type=FLOAT):
        name = self.fresh("w")
        self.weights.append(b"".join(field(1, d) for d in dims) + field(2, elem_type)
                            + field(8, name) + field(9, raw))
        return name

    def weight(self, dims, fan_in):
        """Uniform weights that keep the variance of a layer with so many inputs and a Relu."""
        count = math.prod(dims)
        bound = math.sqrt(6 / fan_in)
        scaled = array.array("f", (v * bound for v in memoryview(self.pool).cast("f")))
        start = self.random.randrange(POOL)
        raw = scaled.tobytes()
        raw = raw[4 * start:] + raw[:4 * start]
        return self.tensor(dims, (raw * (count // POOL + 1))[:4 * count])

    def constant(self, dims, values, elem_type=FLOAT):
        code = "f" if elem_type == FLOAT else "q"
        return self.tensor(dims, array.array(code, values).tobytes(), elem_type)

    def filled(self, dims, value):
        return self.tensor(dims, struct.pack("<f", value) * math.prod(dims))

    def node(self, op, inputs, domain="", outputs=1, **attributes):
        names = [self.fresh(op.lower()) for _ in range(outputs)]
        self.nodes.append(b"".join(field(1, i) for i in inputs)
                          + b"".join(field(2, n) for n in names) + field(3, names[0])
                          + field(4, op)
                          + b"".join(field(5, _attribute(k, v)) for k, v in attributes.items())
                          + (field(7, domain) if domain else b""))
        return names[0] if outputs == 1 else names

    def conv(self, x, channels, features, kernel, stride=1, pad=0, group=1):
        depth = channels // group
        w = self.weight([features, depth, kernel, kernel], depth * kernel * kernel)
        return self.node("Conv", [x, w, self.filled([features], 0.01)], group=group,
                         kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4)

    def norm(self, x, channels):
        parts = [self.filled([channels], v) for v in (1.0, 0.01, 0.0, 1.0)]
        return self.node("BatchNormalization", [x, *parts])

    def relu(self, x):
        return self.node("Relu", [x])

    def pool_max(self, x, kernel, stride, pad=0, end=None):
        return self.node("MaxPool", [x], kernel_shape=[kernel] * 2, strides=[stride] * 2,
                         pads=[pad, pad] + [pad if end is None else end] * 2)

    def pool_average(self, x, kernel, stride, pad=0):
        return self.node("AveragePool", [x], kernel_shape=[kernel] * 2, strides=[stride] * 2,
                         pads=[pad] * 4)

    def dense(self, x, inputs, outputs):
        return self.node("Gemm", [x, self.weight([outputs, inputs], inputs),
                                  self.filled([outputs], 0.0)], transB=1)

    def linear(self, x, inputs, outputs):
        """x · W + b over the last axis of any rank."""
        product = self.node("MatMul", [x, self.weight([inputs, outputs], 2 * inputs)])
        return self.node("Add", [product, self.filled([outputs], 0.0)])

    def save(self, path):
        graph = [field(1, n) for n in self.nodes] + [field(2, self.name)]
        graph += [field(5, w) for w in self.weights]
        graph += [field(11, i) for i in self.inputs] + [field(12, o) for o in self.outputs]
        imports = b"".join(field(8, field(1, d) + field(2, v)) for d, v in self.domains.items())
        with open(path, "wb") as out:
            out.write(field(1, 8) + field(7, b"".join(graph)) + imports)


def _image(name, opset=13):
    net = Network(name, opset)
    return net, net.input("x", [1, 3, 224, 224])


def _classify(net, x, classes=1000):
    net.output(net.node("Softmax", [x]), [1, classes])
    return net


def alexnet():
    net, x = _image("alexnet")
    x = net.relu(net.conv(x, 3, 96, 11, 4))
    x = net.pool_max(net.node("LRN", [x], size=5, alpha=1e-4, beta=0.75), 3, 2)
    x = net.relu(net.conv(x, 96, 256, 5, 1, 2, group=2))
    x = net.pool_max(net.node("LRN", [x], size=5, alpha=1e-4, beta=0.75), 3, 2)
    x = net.relu(net.conv(x, 256, 384, 3, 1, 1))
    x = net.relu(net.conv(x, 384, 384, 3, 1, 1, group=2))
    x = net.pool_max(net.relu(net.conv(x, 384, 256, 3, 1, 1, group=2)), 3, 2)
    x = net.node("Flatten", [x])
    x = net.relu(net.dense(x, 256 * 5 * 5, 4096))
    return _classify(net, net.dense(net.relu(net.dense(x, 4096, 4096)), 4096, 1000))


def vgg19():
    net, x = _image("vgg19")
    channels = 3
    for features, layers in ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)):
        for _ in range(layers):
            x = net.relu(net.conv(x, channels, features, 3, 1, 1))
            channels = features
        x = net.pool_max(x, 2, 2)
    x = net.relu(net.dense(net.node("Flatten", [x]), 512 * 7 * 7, 4096))
    return _classify(net, net.dense(net.relu(net.dense(x, 4096, 4096)), 4096, 1000))


def resnet50():
    net, x = _image("resnet50")
    x = net.pool_max(net.relu(net.norm(net.conv(x, 3, 64, 7, 2, 3), 64)), 3, 2, 1)
    channels = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        width = 64 << stage
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            y = net.relu(net.norm(net.conv(x, channels, width, 1), width))
            y = net.relu(net.norm(net.conv(y, width, width, 3, stride, 1), width))
            y = net.norm(net.conv(y, width, 4 * width, 1), 4 * width)
            if block == 0:
                x = net.norm(net.conv(x, channels, 4 * width, 1, stride), 4 * width)
            x = net.relu(net.node("Add", [y, x]))
            channels = 4 * width
    x = net.node("Flatten", [net.node("GlobalAveragePool", [x])])
    return _classify(net, net.dense(x, 2048, 1000))


def squeezenet():
    net, x = _image("squeezenet")
    x = net.pool_max(net.relu(net.conv(x, 3, 64, 3, 2)), 3, 2)
    channels = 64
    for i, (squeeze, expand) in enumerate(((16, 64), (16, 64), (32, 128), (32, 128), (48, 192),
                                           (48, 192), (64, 256), (64, 256))):
        if i in (2, 4):
            x = net.pool_max(x, 3, 2, 0)
        s = net.relu(net.conv(x, channels, squeeze, 1))
        x = net.node("Concat", [net.relu(net.conv(s, squeeze, expand, 1)),
                                net.relu(net.conv(s, squeeze, expand, 3, 1, 1))], axis=1)
        channels = 2 * expand
    x = net.node("GlobalAveragePool", [net.relu(net.conv(x, channels, 1000, 1))])
    return _classify(net, net.node("Flatten", [x]))


def densenet121():
    net, x = _image("densenet121")
    x = net.pool_max(net.relu(net.norm(net.conv(x, 3, 64, 7, 2, 3), 64)), 3, 2, 1)
    channels, growth = 64, 32
    for stage, layers in enumerate((6, 12, 24, 16)):
        for _ in range(layers):
            y = net.conv(net.relu(net.norm(x, channels)), channels, 4 * growth, 1)
            y = net.conv(net.relu(net.norm(y, 4 * growth)), 4 * growth, growth, 3, 1, 1)
            x = net.node("Concat", [x, y], axis=1)
            channels += growth
        if stage < 3:
            x = net.conv(net.relu(net.norm(x, channels)), channels, channels // 2, 1)
            x = net.pool_average(x, 2, 2)
            channels //= 2
    x = net.node("GlobalAveragePool", [net.relu(net.norm(x, channels))])
    return _classify(net, net.dense(net.node("Flatten", [x]), channels, 1000))


def inception_v1():
    net, x = _image("inception_v1")
    lrn = {"size": 5, "alpha": 1e-4, "beta": 0.75}
    x = net.node("LRN", [net.pool_max(net.relu(net.conv(x, 3, 64, 7, 2, 3)), 3, 2, 0, 1)], **lrn)
    x = net.relu(net.conv(net.relu(net.conv(x, 64, 64, 1)), 64, 192, 3, 1, 1))
    x = net.pool_max(net.node("LRN", [x], **lrn), 3, 2, 0, 1)
    channels = 192
    for i, (a, b0, b, c0, c, d) in enumerate((
            (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), (192, 96, 208, 16, 48, 64),
            (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64),
            (256, 160, 320, 32, 128, 128), (256, 160, 320, 32, 128, 128),
            (384, 192, 384, 48, 128, 128))):
        if i in (2, 7):
            x = net.pool_max(x, 3, 2, 0, 1)
        parts = [net.relu(net.conv(x, channels, a, 1)),
                 net.relu(net.conv(net.relu(net.conv(x, channels, b0, 1)), b0, b, 3, 1, 1)),
                 net.relu(net.conv(net.relu(net.conv(x, channels, c0, 1)), c0, c, 5, 1, 2)),
                 net.relu(net.conv(net.pool_max(x, 3, 1, 1), channels, d, 1))]
        x = net.node("Concat", parts, axis=1)
        channels = a + b + c + d
    x = net.node("Flatten", [net.pool_average(x, 7, 1)])
    return _classify(net, net.dense(x, 1024, 1000))


def shufflenet():
    net, x = _image("shufflenet")
    groups = 3
    x = net.pool_max(net.relu(net.norm(net.conv(x, 3, 24, 3, 2, 1), 24)), 3, 2, 1)
    channels, size = 24, 56
    for features, repeats in ((240, 4), (480, 8), (960, 4)):
        for i in range(repeats):
            stride = 2 if i == 0 else 1
            out = features - channels if stride == 2 else features
            mid = features // 4
            first = 1 if channels == 24 else groups
            y = net.relu(net.norm(net.conv(x, channels, mid, 1, group=first), mid))
            shape = net.constant([5], [1, groups, mid // groups, size, size], INT64)
            y = net.node("Transpose", [net.node("Reshape", [y, shape])], perm=[0, 2, 1, 3, 4])
            y = net.node("Reshape", [y, net.constant([4], [1, mid, size, size], INT64)])
            y = net.norm(net.conv(y, mid, mid, 3, stride, 1, group=mid), mid)
            y = net.norm(net.conv(y, mid, out, 1, group=groups), out)
            if stride == 2:
                x = net.node("Concat", [net.pool_average(x, 3, 2, 1), y], axis=1)
                size //= 2
            else:
                x = net.node("Add", [x, y])
            x = net.relu(x)
            channels = features
    x = net.node("Flatten", [net.node("GlobalAveragePool", [x])])
    return _classify(net, net.dense(x, channels, 1000))


def bert_base(layers=12, length=128, width=768, heads=12):
    """The encoder of BERT-base, as exporters spell it at opset 17."""
    net = Network("bert_base", 17)
    ids = net.input("ids", [1, length], INT64)
    x = net.node("Gather", [net.weight([1000, width], 6), ids])
    x = net.node("Add", [x, net.weight([1, length, width], 6)])
    split = net.constant([4], [0, length, heads, width // heads], INT64)
    joined = net.constant([3], [0, length, width], INT64)
    scale = net.constant([], [math.sqrt(width / heads)])

    def normalised(value):
        return net.node("LayerNormalization",
                        [value, net.filled([width], 1.0), net.filled([width], 0.0)], epsilon=1e-12)

    def attention_heads(value, perm):
        return net.node("Transpose", [net.node("Reshape", [net.linear(value, width, width), split])],
                        perm=perm)

    x = normalised(x)
    for _ in range(layers):
        query, value = (attention_heads(x, [0, 2, 1, 3]) for _ in range(2))
        key = attention_heads(x, [0, 2, 3, 1])
        weights = net.node("Softmax", [net.node("Div", [net.node("MatMul", [query, key]), scale])],
                           axis=3)
        y = net.node("Transpose", [net.node("MatMul", [weights, value])], perm=[0, 2, 1, 3])
        y = net.linear(net.node("Reshape", [y, joined]), width, width)
        x = normalised(net.node("Add", [x, y]))
        y = net.linear(x, width, 4 * width)
        gelu = net.node("Erf", [net.node("Div", [y, net.constant([], [math.sqrt(2)])])])
        gelu = net.node("Mul", [y, net.node("Add", [gelu, net.constant([], [1.0])])])
        y = net.linear(net.node("Mul", [gelu, net.constant([], [0.5])]), 4 * width, width)
        x = normalised(net.node("Add", [x, y]))
    net.output(x, [1, length, width])
    return net


def lstm(length=100, batch=4, width=256, hidden=512):
    """Two bidirectional layers."""
    net = Network("lstm", 14)
    x = net.input("x", [length, batch, width])
    for size in (width, 2 * hidden):
        w = net.weight([2, 4 * hidden, size], 6 * size)
        r = net.weight([2, 4 * hidden, hidden], 6 * hidden)
        y = net.node("LSTM", [x, w, r, net.filled([2, 8 * hidden], 0.0)], hidden_size=hidden,
                     direction="bidirectional")
        y = net.node("Transpose", [y], perm=[0, 2, 1, 3])
        x = net.node("Reshape", [y, net.constant([3], [length, batch, 2 * hidden], INT64)])
    net.output(x, [length, batch, 2 * hidden])
    return net


def boosted_trees(trees=200, depth=7, features=32, rows=1000):
    """Full binary trees of a regressor, nodes numbered as in a heap."""
    net = Network("boosted_trees", 17)
    net.domains["ai.onnx.ml"] = 3
    x = net.input("x", [rows, features])
    inner = (1 << depth) - 1
    total = 2 * inner + 1
    nodes = {key: [] for key in ("treeids", "nodeids", "featureids", "modes", "values",
                                 "truenodeids", "falsenodeids", "missing_value_tracks_true")}
    target = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}
    for tree in range(trees):
        for i in range(total):
            leaf = i >= inner
            nodes["treeids"].append(tree)
            nodes["nodeids"].append(i)
            nodes["featureids"].append(0 if leaf else net.random.randrange(features))
            nodes["modes"].append("LEAF" if leaf else "BRANCH_LEQ")
            nodes["values"].append(0.0 if leaf else net.random.uniform(-0.3, 0.8))
            nodes["truenodeids"].append(0 if leaf else 2 * i + 1)
            nodes["falsenodeids"].append(0 if leaf else 2 * i + 2)
            nodes["missing_value_tracks_true"].append(0)
            if leaf:
                target["treeids"].append(tree)
                target["nodeids"].append(i)
                target["ids"].append(0)
                target["weights"].append(net.random.uniform(-0.1, 0.1))
    attributes = {f"nodes_{k}": v for k, v in nodes.items()}
    attributes |= {f"target_{k}": v for k, v in target.items()}
    net.output(net.node("TreeEnsembleRegressor", [x], "ai.onnx.ml", n_targets=1, **attributes),
               [rows, 1])
    return net


ALL = (alexnet, densenet121, inception_v1, resnet50, shufflenet, squeezenet, vgg19, bert_base, lstm,
       boosted_trees)
