"""Models made to measure: written in wire format, weights as holes of sparse files."""

import os


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, value):
    """A field of the wire format: bytes and text are length-delimited, numbers are varints."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (1 << 64) - 1)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


FLOAT, INT64, BOOL = 1, 7, 9


def value_info(name, dims=(), elem=FLOAT):
    shape = b"".join(field(1, field(1, d)) for d in dims)  # shape { dim { dim_value } … }
    return field(1, name) + field(2, field(1, field(1, elem) + field(2, shape)))


def node(op, inputs, outputs, name="", attributes=b"", domain=""):
    return (b"".join(field(1, i) for i in inputs) + b"".join(field(2, o) for o in outputs)
            + (field(3, name) if name else b"") + field(4, op) + attributes
            + (field(7, domain) if domain else b""))


def graph_attribute(name, graph):
    return field(5, field(1, name) + field(6, graph) + field(20, 5))


def graph(nodes, inputs=(), outputs=(), initializers=(), name="g"):
    return (b"".join(field(1, n) for n in nodes) + field(2, name)
            + b"".join(field(5, t) for t in initializers)
            + b"".join(field(11, i) for i in inputs) + b"".join(field(12, o) for o in outputs))


def model(body, ir=8, opsets=(("", 14),), functions=()):
    return (field(1, ir) + field(7, body)
            + b"".join(field(8, field(1, domain) + field(2, version)) for domain, version in opsets)
            + b"".join(field(25, f) for f in functions))


def scalar(name, data=b"\0\0\x80\x3f", elem=FLOAT):
    return field(2, elem) + field(8, name) + field(9, data)


def chain(nodes, opset):
    """float[8] x -> Relu -> Add one -> Relu -> … -> y, with that many nodes."""
    body = bytearray()
    value = "x"
    for i in range(nodes):
        result = "y" if i == nodes - 1 else f"v{i}"
        inputs = [value] if i % 2 == 0 else [value, "one"]
        body += field(1, node("Relu" if i % 2 == 0 else "Add", inputs, [result], f"n{i}"))
        value = result
    body += field(2, "chain") + field(5, scalar("one"))
    body += field(11, value_info("x", [8])) + field(12, value_info("y", [8]))
    return model(bytes(body), ir=4, opsets=[("", opset)])


def initializers(count, opset=14):
    """x -> Add w0 -> Add w1 -> … -> y, every w an initializer of its own."""
    names = ["x"] + [f"v{i}" for i in range(count - 1)] + ["y"]
    nodes = [node("Add", [names[i], f"w{i}"], [names[i + 1]]) for i in range(count)]
    return model(graph(nodes, [value_info("x", [8])], [value_info("y", [8])],
                       [scalar(f"w{i}") for i in range(count)]), opsets=[("", opset)])


def nested_subgraphs(depth, opset=14):
    """If in If in …, `depth` graphs below the main one; each level captures the level above."""
    def branch(level):
        return graph([node("Neg" if level % 2 else "Abs", [f"v{level - 1}"], [f"e{level}"])],
                     outputs=[value_info(f"e{level}", [8])], name=f"else{level}")

    inner = graph([node("Relu", [f"v{depth - 1}"], [f"y{depth}"])],
                  outputs=[value_info(f"y{depth}", [8])], name=f"then{depth}")
    for level in range(depth - 1, -1, -1):
        outer = f"v{level - 1}" if level else "x"
        nodes = [node("Abs", [outer], [f"v{level}"]),
                 node("If", ["c"], [f"y{level}"],
                      attributes=graph_attribute("then_branch", inner)
                      + graph_attribute("else_branch", branch(level + 1)))]
        inputs = [value_info("c", [], BOOL), value_info("x", [8])] if level == 0 else []
        inner = graph(nodes, inputs, [value_info(f"y{level}", [8])], name=f"then{level}")
    return model(inner, opsets=[("", opset)])


def nested_functions(depth, calls=1, opset=14):
    """f0 is Relu; each next function calls the one before `calls` times in a row."""
    functions = []
    for level in range(depth + 1):
        if level == 0:
            nodes = [node("Relu", ["x"], ["y"])]
        else:
            names = ["x"] + [f"t{i}" for i in range(calls - 1)] + ["y"]
            nodes = [node(f"f{level - 1}", [names[i]], [names[i + 1]], domain="here")
                     for i in range(calls)]
        functions.append(field(1, f"f{level}") + field(4, "x") + field(5, "y")
                         + b"".join(field(7, n) for n in nodes)
                         + field(9, field(2, opset)) + field(9, field(1, "here") + field(2, 1))
                         + field(10, "here"))
    body = graph([node(f"f{depth}", ["x"], ["y"], domain="here")],
                 [value_info("x", [8])], [value_info("y", [8])])
    return model(body, opsets=[("", opset), ("here", 1)], functions=functions)


def write_weights(path, size, tensors=8, opset=14, fill=None):
    """A model file of `tensors` Add nodes whose float initializers take `size` bytes together:
    holes of a sparse file, or `fill` (bytes) over and over."""
    count = max(size // tensors // 4, 1)
    nbytes = 4 * count
    names = ["x"] + [f"v{i}" for i in range(tensors - 1)] + ["y"]
    head = b"".join(field(1, node("Add", [names[i], f"w{i}"], [names[i + 1]]))
                    for i in range(tensors)) + field(2, "g")
    tail = field(11, value_info("x", [count])) + field(12, value_info("y", [count]))
    starts = []
    for i in range(tensors):
        start = field(1, count) + field(2, FLOAT) + field(8, f"w{i}") + varint(9 << 3 | 2)
        start += varint(nbytes)
        starts.append(varint(5 << 3 | 2) + varint(len(start) + nbytes) + start)
    total = len(head) + sum(len(start) + nbytes for start in starts) + len(tail)
    with open(path, "wb") as out:
        out.write(field(1, 8) + field(8, field(2, opset)) + varint(7 << 3 | 2) + varint(total))
        out.write(head)
        for start in starts:
            out.write(start)
            if fill is None:
                out.seek(nbytes, os.SEEK_CUR)
                continue
            left = nbytes
            while left > 0:
                left -= out.write(fill[:left])
        out.write(tail)
