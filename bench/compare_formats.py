#!/usr/bin/env python3
"""Decode, prefill and memory in every weight format beside llama.cpp; writes bench/results/formats_cpu.json.

Run it after scripts/dev/make_formats.py, in the environment that scripts/dev/peers makes, on a quiet machine:
build/peers/bin/python bench/compare_formats.py [--formats Q4_0 Q8_0 ...]. As compare_llama.py, with flash attention on llama.cpp's side.
The peak resident set is that of a process which loads the model and decodes 16 tokens; llama.cpp's carries Python with it, which is
reported beside it. `--noisy` takes what it gets, prints it and writes nothing.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

import llama_cpp

import common
import compare_llama

FORMATS = ["Q4_1", "Q4_0", "Q5_0", "Q5_1", "Q8_0", "Q4_K_M", "Q5_K_M", "Q6_K", "F16", "BF16"]
LOAD_AND_DECODE = ("import sys, llama_cpp; llm = llama_cpp.Llama(sys.argv[1], n_ctx=1024, n_threads=1, n_threads_batch=1, flash_attn=True, "
                   "verbose=False); list(zip(range(16), llm.generate(list(range(10, 26)))))")


def peak_mb(command):
    """Peak resident set of a child in MB."""
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{command[0]} failed")
    return usage.ru_maxrss * 1024 / 1e6


def memory(path):
    return {"tessera_mb": round(peak_mb([common.TESSERA, "generate", "--model", path, "--threads", "1", "--context", "1024", "--prompt",
                                         "The capital of France is Paris, and that of Italy is", "--max-tokens", "16"]), 1),
            "llama_cpp_mb": round(peak_mb([sys.executable, "-c", LOAD_AND_DECODE, path]), 1),
            "of_which_python_mb": round(peak_mb([sys.executable, "-c", "import llama_cpp"]), 1)}


def speeds(path, threads, repeats, measure):
    """Per phase and side, the tokens/s of every round; the sides take turns."""
    common.MODEL = path
    llama = compare_llama.Llama(threads, flash_attn=True)
    compare_llama.tessera(threads, compare_llama.PREFILL_PROMPT, 2)
    sides = {"tessera": lambda *args: compare_llama.tessera(threads, *args), "llama.cpp": llama.run}
    taken = {(phase, side): [] for phase in ("decode", "prefill") for side in sides}
    for _ in range(repeats):
        for side, run in sides.items():
            taken["decode", side].append(measure(lambda: run(compare_llama.DECODE_PROMPT, compare_llama.DECODE_TOKENS))[1])
            taken["prefill", side].append(measure(lambda: run(compare_llama.PREFILL_PROMPT, 1))[0])
    return taken


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--formats", nargs="+", default=FORMATS)
    arguments.add_argument("--repeats", type=int, default=5)
    arguments.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments.add_argument("--patience", type=float, default=3600, help="seconds to wait for quiet moments")
    arguments.add_argument("--noisy", action="store_true", help="measure whatever else runs; write nothing")
    given = arguments.parse_args()
    measure = (lambda run: run()) if given.noisy else common.Quiet(given.patience).measure
    source, rows, memories = common.MODEL, [], {}
    for name in given.formats:  # before this process grows: a child's peak counts what it was forked from
        memories[name] = memory(source.replace("Q4_1", name))
        print(name, memories[name], flush=True)
    for name in given.formats:
        path = source.replace("Q4_1", name)
        for threads in given.threads:
            taken = speeds(path, threads, given.repeats, measure)
            for phase in ("decode", "prefill"):
                mine, other = (common.spread(taken[phase, side], 1) for side in ("tessera", "llama.cpp"))
                pairs = [a / b for a, b in zip(taken[phase, "tessera"], taken[phase, "llama.cpp"])]
                rows.append({"format": name, "phase": phase, "threads": threads, "tessera_tokens_per_s": mine,
                             "llama_cpp_tokens_per_s": other, "ratio": round(mine["median"] / other["median"], 3)})
                print(f"{name} {phase} {threads} thread(s): tessera {mine['median']:.1f}, llama.cpp {other['median']:.1f} tokens/s, "
                      f"ratio {rows[-1]['ratio']:.2f} (median of pairs {statistics.median(pairs):.2f})", flush=True)
    common.MODEL = source
    if not given.noisy:
        common.write("formats_cpu.json", {
            "llama_cpp": f"llama-cpp-python {llama_cpp.__version__}, {llama_cpp.llama_print_system_info().decode().strip(' |')}",
            "decode": f"{compare_llama.DECODE_TOKENS} tokens after a {compare_llama.DECODE_PROMPT}-token prompt",
            "prefill": f"a {compare_llama.PREFILL_PROMPT}-token prompt", "repeats": given.repeats, "rows": rows, "memory": memories})


if __name__ == "__main__":
    main()
