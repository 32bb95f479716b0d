#!/usr/bin/env python3
"""Decode, prefill and memory in every weight format beside llama.cpp; writes bench/results/formats_cpu.json.

Run it after scripts/dev/make_formats.py, in the environment that scripts/dev/peers makes, on a quiet machine:
build/peers/bin/python bench/compare_formats.py [--formats Q4_0 Q8_0 ...]. As compare_llama.py.
The peak resident set is that of a process which loads the model and decodes 16 tokens; llama.cpp's carries Python with it, which is
reported beside it.
"""
import os
import subprocess
import sys

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


def main():
    arguments = common.parser(__doc__, 5)
    arguments.add_argument("--formats", nargs="+", default=FORMATS)
    given = arguments.parse_args()
    measure = common.measurer(given)
    source, rows, memories = common.MODEL, [], {}
    for name in given.formats:  # before this process grows: a child's peak counts what it was forked from
        memories[name] = memory(source.replace("Q4_1", name))
        print(name, memories[name], flush=True)
    for name in given.formats:
        common.MODEL = source.replace("Q4_1", name)
        print(name, end=" ", flush=True)
        rows += [{"format": name, **row} for threads in given.threads
                 for row in compare_llama.compare(threads, given.repeats, measure)]
    common.MODEL = source
    compare_llama.write("formats_cpu.json", given, {"rows": rows, "memory": memories})


if __name__ == "__main__":
    main()
