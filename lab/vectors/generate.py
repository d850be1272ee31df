# /// script
# requires-python = ">=3.11"
# dependencies = ["byzfl==0.0.11", "flwr==1.42.0", "numpy==2.4.6", "torch==2.15.0"]
# ///
"""Writes lab/testdata/synchronous.json: aggregates of given gradients by other libraries.

    python -m venv venv
    venv/bin/pip install byzfl==0.0.11 flwr==1.42.0 numpy==2.4.6 torch==2.15.0
    venv/bin/python lab/vectors/generate.py

The test binary `aggregators` compares the lab's rules with it, without Python. byzfl computes here in 64 bits, on gradients
that are exact in 32. Its bucketing shuffles first; shuffling is disabled here because libraries shuffle differently.
"""

import json
import pathlib

import byzfl
import numpy as np
from flwr.server.strategy.aggregate import aggregate_bulyan, aggregate_krum

SIZES = [(5, 1, 3), (11, 2, 17), (20, 4, 40), (23, 5, 8)]  # n, f, d
OUTPUT = pathlib.Path(__file__).parent.parent / "testdata" / "synchronous.json"


def inputs():
    """Yields inputs whose honest gradients share a direction; except in the first, the last f gradients are Byzantine."""
    random = np.random.default_rng(20261125)
    for n, f, d in SIZES:
        common = random.normal(size=d)
        honest = common + random.normal(size=(n, d))
        mean, deviation = honest[: n - f].mean(axis=0), honest[: n - f].std(axis=0)
        byzantine = {
            "honest": honest[n - f :],
            "colluders send the opposite": np.tile(-10 * mean, (f, 1)),
            "huge": 1e6 * random.normal(size=(f, d)),
            "a little is enough": np.tile(mean - 1.5 * deviation, (f, 1)),
        }
        for name, attack in byzantine.items():
            yield name, f, np.concatenate([honest[: n - f], attack]).astype(np.float32)
        yield "far from zero", f, (100 + honest).astype(np.float32)


def clipped_twice(gradients, radius, iterations):
    """Returns the aggregate of the second of two rounds, which starts from the first's."""
    rule = byzfl.CenteredClipping(L=iterations, tau=radius)
    rule(gradients)
    return rule(gradients)


def bucketed(gradients, size):
    shuffle, np.random.permutation = np.random.permutation, lambda vectors: vectors
    try:
        return byzfl.Bucketing(size)(gradients)
    finally:
        np.random.permutation = shuffle


def by_byzfl(gradients, f):
    n = len(gradients)
    yield "mean", {}, byzfl.Average()(gradients)
    yield "krum", {"f": f, "offset": 1}, byzfl.Krum(f)(gradients)
    yield "multi_krum", {"f": f, "offset": 1, "selected": n - f}, byzfl.MultiKrum(f)(gradients)
    yield "coordinate_median", {}, byzfl.Median()(gradients)
    yield "trimmed_mean", {"trimmed": f}, byzfl.TrMean(f)(gradients)
    for smoothing, iterations in [(0.1, 3), (0.001, 40)]:
        parameters = {"smoothing": smoothing, "iterations": iterations}
        yield "geometric_median", parameters, byzfl.GeometricMedian(smoothing, iterations)(gradients)
    for radius, iterations in [(1.0, 1), (10.0, 5)]:
        parameters = {"radius": radius, "iterations": iterations}
        yield "centered_clipping_twice", parameters, clipped_twice(gradients, radius, iterations)
    mixed = byzfl.NNM(f)(gradients)
    yield "nnm_then_krum", {"f": f, "offset": 1}, byzfl.Krum(f)(mixed)
    yield "nnm_then_coordinate_median", {"f": f}, byzfl.Median()(mixed)
    yield "nnm_then_trimmed_mean", {"f": f, "trimmed": f}, byzfl.TrMean(f)(mixed)
    for size in [2, 3]:
        yield "buckets_then_coordinate_median", {"size": size}, byzfl.Median()(bucketed(gradients, size))


def by_flwr(gradients, f):
    n = len(gradients)
    clients = [([gradient], 1) for gradient in gradients]
    yield "krum", {"f": f, "offset": 2}, aggregate_krum(clients, f, 0)[0]
    yield "multi_krum", {"f": f, "offset": 2, "selected": n - f}, aggregate_krum(clients, f, n - f)[0]
    byzantine = min(f, (n - 3) // 4)  # 4f + 3 <= n
    theta = n - 2 * byzantine
    parameters = {"f": byzantine, "offset": 2, "selected": theta, "averaged": theta - 2 * byzantine}
    yield "bulyan", parameters, aggregate_bulyan(clients, byzantine, aggregate_krum, to_keep=0)[0]


def shortest(gradient):
    """Returns the shortest decimals that round to these numbers in 32 bits."""
    return [float(str(value)) for value in gradient]


def rounded(gradient):
    return [float(f"{value:.9g}") for value in gradient]


def main():
    groups = []
    for name, f, gradients in inputs():
        exact = gradients.astype(np.float64)
        expected = [
            {"library": library, "rule": rule, "parameters": parameters, "gradient": rounded(gradient)}
            for library, cases in [("byzfl 0.0.11", by_byzfl), ("flwr 1.42.0", by_flwr)]
            for rule, parameters, gradient in cases(exact.copy(), f)
        ]
        groups.append({"input": name, "gradients": [shortest(row) for row in gradients], "expected": expected})
    lines = []
    for group in groups:
        rows = ",\n  ".join(json.dumps(row) for row in group["gradients"])
        cases = ",\n  ".join(json.dumps(case) for case in group["expected"])
        lines.append(f'{{"input": {json.dumps(group["input"])}, "gradients": [\n  {rows}],\n "expected": [\n  {cases}]}}')
    OUTPUT.write_text("[" + ",\n".join(lines) + "]\n")


if __name__ == "__main__":
    main()
