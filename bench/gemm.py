#!/usr/bin/env python3
"""GEMM against OpenBLAS and oneDNN, f32, bf16 and u8 by i8, at 1 thread and all; writes bench/results/gemm_cpu.json.

Runs `tessera bench gemm`, which times our kernel and its peers in turn. A shape's ratio is the better peer's median over ours. On a busy machine
the least time of many samples says more than the median, so the ratio of the least times stands beside it.
"""
import argparse
import json
import math
import os
import subprocess

import common

DTYPES = ("f32", "bf16", "u8")


def least_ratio(row):
    peers = [row[name]["min"] for name in ("openblas_us", "onednn_us") if name in row]
    return min(peers) / row["us"]["min"] if peers else None


def geometric_mean(values):
    values = [value for value in values if value]
    return round(math.exp(sum(map(math.log, values)) / len(values)), 3) if values else None


def measure(dtype, threads, repeats):
    said = subprocess.run([common.TESSERA, "bench", "gemm", "--dtype", dtype, "--threads", str(threads), "--repeats", str(repeats), "--json"],
                          check=True, stdout=subprocess.PIPE, text=True).stdout
    rows = json.loads(said)["rows"]
    for row in rows:
        for name in ("us", "openblas_us", "onednn_us"):
            if name in row:
                row[name] = {key: round(value, 2) for key, value in row[name].items()}
        row["gops"] = round(row["gops"], 1)
        row["ratio"] = round(row["ratio"], 3) if "ratio" in row else None
        row["least_ratio"] = round(least_ratio(row), 3) if least_ratio(row) else None
    return {"dtype": dtype, "threads": threads, "geometric_mean_ratio": geometric_mean(row["ratio"] for row in rows),
            "geometric_mean_least_ratio": geometric_mean(row["least_ratio"] for row in rows), "rows": rows}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--repeats", type=int, default=7)
    arguments.add_argument("--dtype", choices=DTYPES, action="append", help="only this one; may be repeated")
    arguments.add_argument("--threads", type=int, action="append", help="only so many; may be repeated")
    given = arguments.parse_args()
    threads = given.threads or sorted({1, os.cpu_count()})
    result = {"peers": "OpenBLAS sgemm (packs B itself), oneDNN matmul with packed weights; ours with packed B", "repeats": given.repeats,
              "load_average": round(os.getloadavg()[0], 1), "runs": [measure(dtype, count, given.repeats) for dtype in given.dtype or DTYPES for count in threads]}
    common.write("gemm_cpu.json", result)
    for run in result["runs"]:
        print(f"{run['dtype']}, {run['threads']} threads: geometric mean {run['geometric_mean_ratio']} of the better peer by medians, {run['geometric_mean_least_ratio']} by least times")


if __name__ == "__main__":
    main()
