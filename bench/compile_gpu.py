#!/usr/bin/env python3
"""Cold compile of the whole op library for NVIDIA chips, with and without ptxas; writes bench/results/compile_gpu.json.

Each chip is one process that compiles every op, dtype and bench shape once, with no cache, on one thread. `ms` is wall time, `cpu_ms` the
processor time of the same work (the compiling thread's, and ptxas' own), which other programs on the machine lengthen less. The file is written anew
after each chip.
"""
import argparse
import json
import subprocess
import time

import common

CHIPS = ["t4", "a10g", "a100", "l4", "h100"]


def compile_library(chip, ptxas):
    start = time.perf_counter()
    said = subprocess.run([common.TESSERA, "bench", "compile", "--library", "--target", chip, "--ptxas", ptxas, "--json"],
                          check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return time.perf_counter() - start, json.loads(said)


def rounded(quantiles):
    return {name: round(value, 2) for name, value in quantiles.items()}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--ptxas", default="", help="the assembler's path; the one on PATH or in CUDA_HOME where it is left out; none")
    given = arguments.parse_args()
    rows, assembler = [], None
    for chip in CHIPS:
        seconds, said = compile_library(chip, given.ptxas)
        assembler = said["ptxas"]
        slowest = max(said["rows"], key=lambda row: row["cpu_ms"])
        rows.append({"chip": chip, "kernels": said["kernels"], "seconds": round(seconds, 1),
                     "compile_s": round(sum(row["ms"] for row in said["rows"]) / 1000, 1),
                     "compile_cpu_s": round(sum(row["cpu_ms"] for row in said["rows"]) / 1000, 1),
                     "ms": rounded(said["ms"]), "cpu_ms": rounded(said["cpu_ms"]),
                     "with_ptxas_ms": rounded(said["with_ptxas_ms"]) if assembler else None,
                     "with_ptxas_cpu_ms": rounded(said["with_ptxas_cpu_ms"]) if assembler else None,
                     "disk_ms": rounded(said["disk_ms"]),
                     "slowest": {name: slowest[name] for name in ("op", "dtype", "shape", "config")}})
        print(json.dumps(rows[-1]))
        common.write("compile_gpu.json", {"ptxas": assembler, "load_average": open("/proc/loadavg").read().split()[0],
                                          "library_s": round(sum(row["compile_s"] for row in rows), 1),
                                          "library_cpu_s": round(sum(row["compile_cpu_s"] for row in rows), 1), "rows": rows})


if __name__ == "__main__":
    main()
