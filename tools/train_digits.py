#!/usr/bin/env python3
"""Trains the small digit classifier that ships as testdata/models/digits.onnxtxt.

    tools/train_digits.py > testdata/models/digits.onnxtxt

Standard library only, seeded, so a run on one Python version always writes the same file. The
network is the classic small CNN (standardise, convolve, pool, dropout, dense, softmax) written at
opset 11, where several of its operators still have the meaning that later opsets changed.
"""

import math
import random
import struct

SIZE, CHANNELS, KERNEL, POOLED, HIDDEN, CLASSES = 10, 6, 3, 4, 24, 10
FEATURES = CHANNELS * POOLED * POOLED
EPOCHS, SAMPLES, RATE, MOMENTUM, NOISE = 15, 3000, 0.002, 0.85, 0.15

# Seven segments: top, top-left, top-right, middle, bottom-left, bottom-right, bottom.
SEGMENTS = ["1110111", "0010010", "1011101", "1011011", "0111010",
            "1101011", "1101111", "1010010", "1111111", "1111011"]


def f32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def glyph(digit, rng):
    """A 10x10 picture of a digit: moved, with strokes of varying strength, and noise."""
    on = [c == "1" for c in SEGMENTS[digit]]
    left, top, width, height = rng.randint(1, 3), rng.randint(0, 2), 4, 7
    picture = [[0.0] * SIZE for _ in range(SIZE)]

    def stroke(x0, y0, x1, y1):
        strength = rng.uniform(0.7, 1.0)
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                picture[y][x] = max(picture[y][x], strength)

    right, middle, bottom = left + width, top + height // 2, top + height
    spans = [(left, top, right, top), (left, top, left, middle), (right, top, right, middle),
             (left, middle, right, middle), (left, middle, left, bottom),
             (right, middle, right, bottom), (left, bottom, right, bottom)]
    for lit, span in zip(on, spans):
        if lit:
            stroke(*span)
    return [[f32(v + rng.gauss(0, NOISE)) for v in row] for row in picture]


class Network:
    def __init__(self, rng, mean, variance):
        draw = lambda n, fan: [rng.gauss(0, math.sqrt(2 / fan)) for _ in range(n)]
        self.mean, self.scale = mean, 1 / math.sqrt(variance + 1e-5)
        self.parameters = {
            "conv_w": draw(CHANNELS * KERNEL * KERNEL, KERNEL * KERNEL), "conv_b": [0.0] * CHANNELS,
            "hidden_w": draw(HIDDEN * FEATURES, FEATURES), "hidden_b": [0.0] * HIDDEN,
            "out_w": draw(CLASSES * HIDDEN, HIDDEN), "out_b": [0.0] * CLASSES}
        self.velocity = {k: [0.0] * len(v) for k, v in self.parameters.items()}

    def forward(self, picture, keep):
        p = self.parameters
        x = [[(v - self.mean) * self.scale for v in row] for row in picture]
        pooled, winners, w = [], [], p["conv_w"]
        for c in range(CHANNELS):
            k = w[c * 9:c * 9 + 9]
            maps = [[k[0] * x[i][j] + k[1] * x[i][j + 1] + k[2] * x[i][j + 2] +
                     k[3] * x[i + 1][j] + k[4] * x[i + 1][j + 1] + k[5] * x[i + 1][j + 2] +
                     k[6] * x[i + 2][j] + k[7] * x[i + 2][j + 1] + k[8] * x[i + 2][j + 2] +
                     p["conv_b"][c] for j in range(SIZE - 2)] for i in range(SIZE - 2)]
            for i in range(POOLED):
                for j in range(POOLED):
                    best = max((maps[2 * i + a][2 * j + b], 2 * i + a, 2 * j + b)
                               for a in (0, 1) for b in (0, 1))
                    pooled.append(max(best[0], 0.0))
                    winners.append(best[1:])
        dropped = [v * m for v, m in zip(pooled, keep)]
        hw = p["hidden_w"]
        hidden = [max(0.0, p["hidden_b"][h] + sum(map(float.__mul__, hw[h * FEATURES:(h + 1) * FEATURES], dropped)))
                  for h in range(HIDDEN)]
        logits = [p["out_b"][o] + sum(map(float.__mul__, p["out_w"][o * HIDDEN:(o + 1) * HIDDEN], hidden))
                  for o in range(CLASSES)]
        top = max(logits)
        exps = [math.exp(v - top) for v in logits]
        total = sum(exps)
        return x, pooled, winners, dropped, hidden, [e / total for e in exps]

    def train(self, picture, digit, keep):
        p = self.parameters
        x, pooled, winners, dropped, hidden, probabilities = self.forward(picture, keep)
        grad = {k: [0.0] * len(v) for k, v in p.items()}
        d_out = [q - (o == digit) for o, q in enumerate(probabilities)]
        d_hidden = [0.0] * HIDDEN
        for o, d in enumerate(d_out):
            grad["out_b"][o] = d
            for h in range(HIDDEN):
                grad["out_w"][o * HIDDEN + h] = d * hidden[h]
                d_hidden[h] += d * p["out_w"][o * HIDDEN + h]
        d_pooled = [0.0] * FEATURES
        for h, d in enumerate(d_hidden):
            if hidden[h] == 0.0:
                continue
            grad["hidden_b"][h] = d
            base = h * FEATURES
            for i in range(FEATURES):
                grad["hidden_w"][base + i] = d * dropped[i]
                d_pooled[i] += d * p["hidden_w"][base + i]
        for i, d in enumerate(d_pooled):
            d *= keep[i]
            if d == 0.0 or pooled[i] == 0.0:
                continue
            c, (row, column) = i // (POOLED * POOLED), winners[i]
            grad["conv_b"][c] += d
            for a in range(KERNEL):
                for b in range(KERNEL):
                    grad["conv_w"][c * 9 + a * 3 + b] += d * x[row + a][column + b]
        for name, values in p.items():
            velocity = self.velocity[name]
            for i, g in enumerate(grad[name]):
                velocity[i] = MOMENTUM * velocity[i] - RATE * g
                values[i] += velocity[i]


def tensor(name, dims, values):
    numbers = ", ".join(repr(f32(v)) for v in values)
    return f"float[{', '.join(map(str, dims))}] {name} = {{{numbers}}}"


def main():
    rng = random.Random(2024)
    training = [(glyph(i % CLASSES, rng), i % CLASSES) for i in range(SAMPLES)]
    held_out = [(glyph(i % CLASSES, rng), i % CLASSES) for i in range(200)]
    pixels = [v for picture, _ in training for row in picture for v in row]
    mean = f32(sum(pixels) / len(pixels))
    variance = f32(sum((v - mean) ** 2 for v in pixels) / len(pixels))
    network = Network(rng, mean, variance)
    for _ in range(EPOCHS):
        rng.shuffle(training)
        for picture, digit in training:
            keep = [(rng.random() < 0.75) / 0.75 for _ in range(FEATURES)]
            network.train(picture, digit, keep)
    everything = [1.0] * FEATURES
    right = sum(max(range(CLASSES), key=network.forward(picture, everything)[-1].__getitem__) == digit
                for picture, digit in held_out)

    p = network.parameters
    initializers = [
        tensor("scale", [1], [1.0]), tensor("shift", [1], [0.0]), tensor("mean", [1], [mean]),
        tensor("variance", [1], [variance]),
        tensor("conv_w", [CHANNELS, 1, KERNEL, KERNEL], p["conv_w"]),
        tensor("conv_b", [CHANNELS], p["conv_b"]),
        tensor("hidden_w", [HIDDEN, FEATURES], p["hidden_w"]), tensor("hidden_b", [HIDDEN], p["hidden_b"]),
        tensor("out_w", [CLASSES, HIDDEN], p["out_w"]), tensor("out_b", [CLASSES], p["out_b"])]
    print(f"""# A digit classifier, made by tools/train_digits.py: {right} of {len(held_out)} right on held-out pictures.
<
  ir_version: 6,
  opset_import: ["": 11],
  producer_name: "train_digits",
  producer_version: "1",
  doc_string: "Classifies 10x10 pictures of seven-segment digits."
>
digits (float[N, 1, {SIZE}, {SIZE}] picture) => (float[N, {CLASSES}] probabilities, int64[N] digit)
<
  {(","+chr(10)+"  ").join(initializers)}
>
{{
  standard = BatchNormalization <epsilon: float = 0.00001> (picture, scale, shift, mean, variance)
  features = Conv <kernel_shape = [3, 3]> (standard, conv_w, conv_b)
  pooled = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (features)
  active = Clip (pooled, zero)
  flat = Flatten (active)
  kept, mask = Dropout <ratio: float = 0.25> (flat)
  hidden = Gemm <transB = 1> (kept, hidden_w, hidden_b)
  rectified = Relu (hidden)
  logits = Gemm <transB = 1> (rectified, out_w, out_b)
  probabilities = Softmax <axis = 1> (logits)
  best = ArgMax <axis = 1, keepdims = 1> (probabilities)
  digit = Squeeze <axes = [1]> (best)
}}""".replace("<\n  float[1] scale", "<\n  float zero = {0},\n  float[1] scale"))


if __name__ == "__main__":
    main()
