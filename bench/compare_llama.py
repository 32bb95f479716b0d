#!/usr/bin/env python3
"""Decode and prefill speed beside llama.cpp: same GGUF, same threads, turn about; writes bench/results/decode_cpu.json.

Run it in the environment that scripts/dev/peers makes, on a quiet machine: build/peers/bin/python bench/compare_llama.py
Decode: 128 tokens after a 16-token prompt. Prefill: a 512-token prompt. Every figure is the median of --repeats runs with the extremes
beside it; the two programs alternate, and a run during which other processes used the machine is thrown away and repeated. Timings of
model loading and kernel compilation are left out.
"""
import argparse
import json
import subprocess
import time

import llama_cpp
import numpy as np

import common

DECODE_PROMPT, DECODE_TOKENS, PREFILL_PROMPT = 16, 128, 512


class Llama:
    """llama.cpp through its C interface, so that Python costs some 30 us a token."""

    def __init__(self, threads, **options):
        self.llm = llama_cpp.Llama(common.MODEL, n_ctx=1024, n_batch=512, n_ubatch=512, n_threads=threads,
                                   n_threads_batch=threads, verbose=False, **options)
        self.run(PREFILL_PROMPT, 2)

    def step(self, tokens):
        array = (llama_cpp.llama_token * len(tokens))(*tokens)
        if llama_cpp.llama_decode(self.llm.ctx, llama_cpp.llama_batch_get_one(array, len(tokens))) != 0:
            raise RuntimeError("llama_decode failed")
        return int(np.ctypeslib.as_array(llama_cpp.llama_get_logits(self.llm.ctx), (self.llm.n_vocab(),)).argmax())

    def run(self, prompt, count):
        """(prefill tokens/s, decode tokens/s) of one run from an empty cache."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.llm.ctx), True)
        start = time.perf_counter()
        token = self.step([10 + i * 7919 % 49000 for i in range(prompt)])
        between = time.perf_counter()
        for _ in range(count):
            token = self.step([token])
        return prompt / (between - start), count / (time.perf_counter() - between)


def tessera(threads, prompt, count):
    """(prefill tokens/s, decode tokens/s) of one run, by Tessera's own bench."""
    said = subprocess.run([common.TESSERA, "bench", "decode", "--model", common.MODEL, "--threads", str(threads), "--prompt-tokens",
                           str(prompt), "--gen-tokens", str(count), "--repeats", "1", "--json"],
                          check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    row = json.loads(said)
    return row["prefill_tokens_per_s"]["median"], row["decode_tokens_per_s"]["median"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--repeats", type=int, default=7)
    arguments.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments.add_argument("--patience", type=float, default=1800, help="seconds to wait for quiet moments")
    given = arguments.parse_args()
    quiet = common.Quiet(given.patience)
    rows = []
    for threads in given.threads:
        llama = Llama(threads)
        tessera(threads, PREFILL_PROMPT, 2)
        sides = {"tessera": lambda *args: tessera(threads, *args), "llama.cpp": llama.run}
        speeds = {name: {"decode": [], "prefill": []} for name in sides}
        for _ in range(given.repeats):
            for name, run in sides.items():
                speeds[name]["decode"].append(quiet.measure(lambda: run(DECODE_PROMPT, DECODE_TOKENS))[1])
                speeds[name]["prefill"].append(quiet.measure(lambda: run(PREFILL_PROMPT, 1))[0])
        for phase in ("decode", "prefill"):
            mine, other = (common.spread(speeds[name][phase], 1) for name in ("tessera", "llama.cpp"))
            rows.append({"phase": phase, "threads": threads, "tessera_tokens_per_s": mine, "llama_cpp_tokens_per_s": other,
                         "ratio": round(mine["median"] / other["median"], 3)})
            print(f"{phase} {threads} thread(s): tessera {mine['median']:.1f}, llama.cpp {other['median']:.1f} tokens/s, "
                  f"ratio {rows[-1]['ratio']:.2f}")
    common.write("decode_cpu.json", {
        "llama_cpp": f"llama-cpp-python {llama_cpp.__version__}, {llama_cpp.llama_print_system_info().decode().strip(' |')}",
        "decode": f"{DECODE_TOKENS} tokens after a {DECODE_PROMPT}-token prompt", "prefill": f"a {PREFILL_PROMPT}-token prompt",
        "repeats": given.repeats, "rows": rows})


if __name__ == "__main__":
    main()
