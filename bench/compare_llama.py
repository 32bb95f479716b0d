#!/usr/bin/env python3
"""Decode and prefill speed beside llama.cpp: same GGUF, same threads, turn about; writes bench/results/decode_cpu.json.

Run it in the environment that scripts/dev/peers makes, on a quiet machine: build/peers/bin/python bench/compare_llama.py
Decode: 128 tokens after a 16-token prompt. Prefill: a 512-token prompt. Every figure is the median of --repeats runs with the extremes
beside it; the two programs alternate, and a run during which other processes used the machine is thrown away and repeated. Timings of
model loading and kernel compilation are left out. llama.cpp's flash attention is on. `--noisy` takes what it gets, prints it and writes nothing.
`--device cpu-avx2` and a llama-cpp-python built with GGML_NATIVE=OFF hold the AVX2 row against llama.cpp's AVX2 build (decode_cpu_avx2.json).
"""
import time

import llama_cpp
import numpy as np

import common

PHASES = {"decode": (16, 128), "prefill": (512, 1)}  # tokens of the prompt, tokens decoded
PHASE_TEXTS = {"decode": "128 tokens after a 16-token prompt", "prefill": "a 512-token prompt"}


class Batch:
    """What llama.cpp decodes in one step: `count` tokens of each sequence."""

    def __init__(self, sequences, count):
        rows = sequences * count
        self.sequences, self.count, self.raw = sequences, count, llama_cpp.llama_batch_init(rows, 0, 1)
        self.raw.n_tokens = rows
        view = lambda pointer: np.ctypeslib.as_array(pointer, (rows,))
        self.tokens, self.positions = view(self.raw.token), view(self.raw.pos)
        view(self.raw.n_seq_id)[:] = 1
        view(self.raw.logits)[:] = np.arange(rows) % count == count - 1
        for row in range(rows):
            self.raw.seq_id[row][0] = row // count


class Llama:
    """llama.cpp through its C interface, so that Python costs some 30 us a step. Each sequence has a cache of its own."""

    def __init__(self, threads, sequences=1):
        self.llm = llama_cpp.Llama(common.MODEL, n_ctx=1024, n_batch=512, n_ubatch=512, n_threads=threads,
                                   n_threads_batch=threads, flash_attn=True, verbose=False)
        self.sequences, self.ctx, self.batches = sequences, self.llm.ctx, {}
        if sequences > 1:
            wider = self.llm.context_params
            wider.n_seq_max, wider.n_ctx = sequences, 1024 * sequences
            self.ctx = llama_cpp.llama_init_from_model(self.llm.model, wider)
            if not self.ctx:
                raise RuntimeError(f"llama.cpp made no context of {sequences} sequences")
        self.run(PHASES["prefill"][0] // sequences, 2)

    def step(self, tokens, position):
        """Appends tokens [sequences, count] at `position`; the greedy choice of each sequence."""
        if tokens.shape not in self.batches:
            self.batches[tokens.shape] = Batch(*tokens.shape)
        batch = self.batches[tokens.shape]
        batch.tokens[:] = tokens.ravel()
        batch.positions[:] = np.tile(np.arange(position, position + batch.count), batch.sequences)
        if llama_cpp.llama_decode(self.ctx, batch.raw) != 0:
            raise RuntimeError("llama_decode failed")
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits(self.ctx), (self.sequences, self.llm.n_vocab())).argmax(axis=1)

    def run(self, prompt, count):
        """(prefill tokens/s, decode tokens/s) of one run from an empty cache, of all sequences together."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.ctx), True)
        prompts = (10 + 31 * np.arange(self.sequences)[:, None] + 7919 * np.arange(prompt)) % 49000
        start = time.perf_counter()
        tokens = self.step(prompts, 0)
        between = time.perf_counter()
        for i in range(count):
            tokens = self.step(tokens[:, None], prompt + i)
        seconds = time.perf_counter() - between
        return self.sequences * prompt / (between - start), self.sequences * count / seconds


def compare(threads, repeats, measure, phases=tuple(PHASES), sequences=1):
    """A row a phase, each side measured `repeats` times in turns; printed as they come."""
    llama = Llama(threads, sequences)
    sides = {"tessera": lambda prompt, count: common.bench_decode(threads, prompt, count, "--batch", str(sequences)), "llama.cpp": llama.run}
    sides["tessera"](16, 2)  # compiles what no cache holds
    taken = {(phase, side): [] for phase in phases for side in sides}
    for _ in range(repeats):
        for side, run in sides.items():
            for phase in phases:
                taken[phase, side].append(measure(lambda: run(*PHASES[phase]))[phase == "decode"])
    for phase in phases:
        mine, other = (common.spread(taken[phase, side], 1) for side in sides)
        pairs = [a / b for a, b in zip(taken[phase, "tessera"], taken[phase, "llama.cpp"])]
        row = {"phase": phase, "threads": threads, "tessera_tokens_per_s": mine, "llama_cpp_tokens_per_s": other,
               "ratio": round(mine["median"] / other["median"], 3), "ratio_of_pairs": common.spread(pairs, 3)}
        print(f"{phase} {threads} thread(s){f', {sequences} sequences' if sequences > 1 else ''}: tessera {mine['median']:.1f}, "
              f"llama.cpp {other['median']:.1f} tokens/s, ratio {row['ratio']:.2f} (median of pairs {row['ratio_of_pairs']['median']:.2f})", flush=True)
        yield row


def write(name, given, result):
    """The result with what it was measured against and how, unless the machine was not asked to be quiet."""
    if not given.noisy:
        common.write(name, {
            "llama_cpp": f"llama-cpp-python {llama_cpp.__version__}, {llama_cpp.llama_print_system_info().decode().strip(' |')}",
            **PHASE_TEXTS, "repeats": given.repeats} | result)


def main():
    arguments = common.parser(__doc__, 7)
    arguments.add_argument("--device", default=common.DEVICE, help="a row of the CPU, such as cpu-avx2, beside a llama.cpp built for the same")
    given = arguments.parse_args()
    common.DEVICE = given.device
    measure = common.measurer(given)
    write(f"decode_{given.device.replace('-', '_')}.json", given, {"rows": [row for threads in given.threads for row in compare(threads, given.repeats, measure)]})


if __name__ == "__main__":
    main()
