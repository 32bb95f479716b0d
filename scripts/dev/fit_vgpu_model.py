#!/usr/bin/env python3
"""Fits the constants of the virtual GPU's performance model to one half of the measured kernel times and reports the other.

    cmake --build build --target vgpu_model_eval && scripts/dev/fit_vgpu_model.py [--chip t4] [--report-only]

Writes runtime/vgpu/model/calibration_table.inc (the constants, with provenance) and bench/results/vgpu_model.{json,md}.
The model itself is C++ (runtime/vgpu/model); this script only proposes constants to build/bin/vgpu_model_eval. Standard
library only, fixed seed: the same data give the same table.
"""
import argparse
import json
import math
import random
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "runtime/vgpu/model"
CHIPS = ["t4", "v100", "a100", "a100-80", "l4", "h100"]
# What the fit minimises: the mean relative error of each family on the fitted half, weighted.
WEIGHTS = {"linear": 1.0, "elementwise": 0.6, "bmm": 0.3, "ln": 0.05, "softmax": 0.05}
# Constants that the data say little about stay near their start: this times the squared distance, in units of the range.
PRIOR = 0.01
# l2Share is held to what microbenchmarks of these L2s reach (0.6 to 0.7 of nominal): lower, and L2 would be slower than DRAM.
# Start and bounds of each constant; estimate.h says what they are. Searched in log space unless the lower bound is 0.
SPACE = {
    "clockShare": (0.8, 0.2, 1.0), "narrowShare": (0.9, 0.5, 1.0), "stepInstructions": (4, 0.5, 20),
    "halfWarps": (1.0, 0.05, 16), "blockClocks": (1000, 50, 3000), "dramShare": (0.88, 0.5, 1.0),
    "l2Share": (0.62, 0.5, 0.8), "overlapExponent": (3, 1, 12), "l2Usable": (0.6, 0.1, 1.0), "l2Drift": (0.02, 0, 0.2),
    "tlbReachMiB": (700, 64, 65536), "tlbCost": (0.1, 0, 0.6), "dramRampUs": (10, 1, 40)}


class Evaluator:
    """The C++ model as a function from (chip, constants) to modelled microseconds."""

    def __init__(self, program):
        self.process = subprocess.Popen([program, MODEL / "data"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.names = self.process.stdout.readline().split()[1:]
        assert self.names == list(SPACE), "the constants of estimate.h and of this script differ"
        count = int(self.process.stdout.readline().split()[1])
        self.rows = []
        for _ in range(count):
            chip, op, family, held, time, shape, kernel = self.process.stdout.readline().split(maxsplit=6)
            self.rows.append(dict(chip=chip, op=op, family=family, held=held == "1", us=float(time), shape=shape, kernel=kernel.strip()))
        self.chips = {chip: [row for row in self.rows if row["chip"] == chip] for chip in CHIPS}

    def predict(self, chip, constants):
        self.process.stdin.write(" ".join([chip, *(f"{value:.6g}" for value in constants)]) + "\n")
        self.process.stdin.flush()
        return [pair.split(":") for pair in self.process.stdout.readline().split()]

    def errors(self, chip, constants, held):
        """Relative errors by family, of one half."""
        errors = {}
        for row, (time, _) in zip(self.chips[chip], self.predict(chip, constants)):
            if row["held"] == held:
                errors.setdefault(row["family"], []).append(float(time) / row["us"] - 1)
        return errors

    def loss(self, chip, constants):
        errors = self.errors(chip, constants, held=False)
        return sum(WEIGHTS[family] * sum(map(abs, e)) / len(e) for family, e in errors.items())


def nelder_mead(function, start, steps, limit):
    simplex = [(function(start), start)]
    for i, step in enumerate(steps):
        point = list(start)
        point[i] += step
        simplex.append((function(point), point))
    for _ in range(limit):
        simplex.sort(key=lambda entry: entry[0])
        if simplex[-1][0] - simplex[0][0] < 1e-6:
            break
        centre = [sum(column) / len(start) for column in zip(*(point for _, point in simplex[:-1]))]
        along = lambda t: [c + t * (w - c) for c, w in zip(centre, simplex[-1][1])]
        reflected = along(-1)
        value = function(reflected)
        if value < simplex[0][0]:
            expanded = along(-2)
            simplex[-1] = min((function(expanded), expanded), (value, reflected))
        elif value < simplex[-2][0]:
            simplex[-1] = (value, reflected)
        else:
            contracted = along(0.5 if value >= simplex[-1][0] else -0.5)
            value = function(contracted)
            if value < simplex[-1][0]:
                simplex[-1] = (value, contracted)
            else:
                best = simplex[0][1]
                shrunk = [[(b + p) / 2 for b, p in zip(best, point)] for _, point in simplex[1:]]
                simplex = [simplex[0], *((function(point), point) for point in shrunk)]
    return min(simplex)


def decode(point):
    """Unbounded coordinates to constants: reflected into [0, 1], then along the (log) range."""
    values = []
    for x, (_, low, high) in zip(point, SPACE.values()):
        t = abs((x + 1) % 2 - 1)
        values.append(low * (high / low) ** t if low > 0 else low + (high - low) * t)
    return [float(f"{value:.4g}") for value in values]


def encode(values):
    return [math.log(v / low) / math.log(high / low) if low > 0 else (v - low) / (high - low)
            for v, (_, low, high) in zip(values, SPACE.values())]


def fit(evaluator, chip, start, rounds):
    dice = random.Random(20260101)
    expected = encode([value for value, _, _ in SPACE.values()])
    def function(point):
        constants = decode(point)
        distance = sum((x - y) ** 2 for x, y in zip(encode(constants), expected))
        return evaluator.loss(chip, constants) + PRIOR * distance
    best = (math.inf, encode(start))
    for turn in range(rounds):
        origin = best[1] if turn % 3 == 0 else [x + dice.uniform(-0.3, 0.3) for x in best[1]]
        best = min(best, nelder_mead(function, list(origin), [dice.choice([-1, 1]) * dice.uniform(0.05, 0.2) for _ in origin], 350))
        print(f"{chip} round {turn}: {best[0]:.4f}", flush=True)
    return decode(best[1])


def read_table():
    pattern = re.compile(r'\{"([\w-]+)",\s*\{([^}]*)\}')
    path = MODEL / "calibration_table.inc"
    return {chip: [float(v) for v in values.split(",")] for chip, values in pattern.findall(path.read_text())} if path.exists() else {}


def write_table(table):
    lines = ["// Written by scripts/dev/fit_vgpu_model.py from runtime/vgpu/model/data (the fitted half); do not edit. Columns:",
             "// " + ", ".join(SPACE) + "."]
    for chip in CHIPS:
        lines.append('{"%s", {%s}},' % (chip, ", ".join(f"{v:.4g}" for v in table[chip])))
    (MODEL / "calibration_table.inc").write_text("// clang-format off\n" + "\n".join(lines) + "\n// clang-format on\n")


def summary(errors):
    size = sorted(map(abs, errors))
    return {"rows": len(size), "mape": round(100 * sum(size) / len(size), 2), "median": round(100 * size[len(size) // 2], 2),
            "p90": round(100 * size[int(len(size) * 0.9)], 2), "bias": round(100 * sum(errors) / len(errors), 2)}


def report(evaluator, table):
    result = {"constants": {chip: dict(zip(SPACE, table[chip])) for chip in CHIPS}, "held_out": {}, "fitted": {}}
    for chip in CHIPS:
        for half, held in (("fitted", False), ("held_out", True)):
            result[half][chip] = {family: summary(e) for family, e in evaluator.errors(chip, table[chip], held).items()}
    return result


def write_report(result):
    folder = ROOT / "bench/results"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vgpu_model.json").write_text(json.dumps(result, indent=1) + "\n")
    lines = ["# The virtual GPU's performance model against measured kernel times", "",
             "Mean absolute percentage error on the held-out half of the shapes (in brackets: on the fitted half). Bars: `linear` 12 %,",
             f"element-wise 5 %. {len(SPACE)} constants a chip. Written by `scripts/dev/fit_vgpu_model.py`.", "",
             "| Chip | " + " | ".join(WEIGHTS) + " |", "| --- |" + " ---: |" * len(WEIGHTS)]
    for chip in CHIPS:
        cells = [f"{result['held_out'][chip][f]['mape']:.1f} ({result['fitted'][chip][f]['mape']:.1f})"
                 if f in result["held_out"][chip] else "no data" for f in WEIGHTS]
        lines.append(f"| {chip} | " + " | ".join(cells) + " |")
    (folder / "vgpu_model.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=ROOT / "build/bin/vgpu_model_eval")
    parser.add_argument("--chip", action="append", help="fit only this chip; the others keep their constants")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--report-only", action="store_true")
    options = parser.parse_args()
    evaluator = Evaluator(options.program)
    start = [value for value, _, _ in SPACE.values()]
    table = {chip: start for chip in CHIPS} | read_table()
    for chip in [] if options.report_only else options.chip or CHIPS:
        table[chip] = fit(evaluator, chip, table[chip], options.rounds)
        write_table(table)
    write_report(report(evaluator, table))


if __name__ == "__main__":
    main()
