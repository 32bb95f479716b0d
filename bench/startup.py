#!/usr/bin/env python3
"""Cold compile of all the demo model's kernels and warm start to the first token; writes bench/results/startup_cpu.json.

Cold: an empty kernel cache. Warm: the same cache again, in a new process; the time to the first token is the whole process's, from
exec to exit after one token. Medians of --repeats runs, with the extremes.
"""
import argparse
import json
import math
import os
import shutil
import subprocess
import tempfile
import time

import common

PROMPT = "The capital of France is"


def generate(cache):
    """(seconds of the process, its JSON) for one token."""
    start = time.perf_counter()
    said = subprocess.run([common.TESSERA, "generate", "--model", common.MODEL, "--prompt", PROMPT, "--max-tokens", "1", "--json"],
                          check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | {"TESSERA_CACHE": cache}).stdout
    return time.perf_counter() - start, json.loads(said)


def cold(cache):
    shutil.rmtree(cache)
    os.mkdir(cache)
    return generate(cache)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--patience", type=float, default=600, help="seconds to wait for quiet moments")
    arguments.add_argument("--disturbed", action="store_true", help="keep runs that other processes disturbed: upper bounds")
    given = arguments.parse_args()
    quiet = common.Quiet(given.patience, math.inf if given.disturbed else 0.15)
    repeats = given.repeats
    compile_s, warm_s, kernels = [], [], 0
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            timings = quiet.measure(lambda: cold(cache))[1]["timings"]
            compile_s.append(timings["compile_ms"] / 1000)
            kernels = timings["kernels_compiled"]
            seconds, warm = quiet.measure(lambda: generate(cache))
            if warm["timings"]["kernels_compiled"] != 0:
                raise RuntimeError(f"a warm start compiled {warm['timings']['kernels_compiled']} kernels")
            warm_s.append(seconds)
    result = {"repeats": repeats, "disturbed": given.disturbed, "kernels": kernels, "cold_compile_s": common.spread(compile_s, 2), "warm_process_s": common.spread(warm_s, 2)}
    common.write("startup_cpu.json", result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
