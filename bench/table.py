#!/usr/bin/env python3
"""Puts the figures of bench/results into the README's table; with --check only says whether they are there."""
import json
import os
import sys

import common

README = os.path.join(common.ROOT, "README.md")
BEGIN, END = "<!-- figures: bench/table.py writes these lines -->\n", "<!-- /figures -->\n"


def load(name):
    path = os.path.join(common.RESULTS, name)
    return json.load(open(path)) if os.path.exists(path) else None


def text(spread):
    return f"{spread['median']:g} ({spread['min']:g} to {spread['max']:g})"


def speed_rows(result):
    yield "| tokens/s, median (min to max) | threads | Tessera | llama.cpp | ratio |"
    yield "| --- | --- | --- | --- | --- |"
    for row in result["rows"]:
        yield (f"| {row['phase']}: {result[row['phase']]} | {row['threads']} | {text(row['tessera_tokens_per_s'])} | "
               f"{text(row['llama_cpp_tokens_per_s'])} | {row['ratio']:.2f} |")
    yield ""
    yield f"{result['model']} on {result['cpu']}; {result['llama_cpp'].split(',')[0]} built natively; {result['repeats']} runs, interleaved; {result['date']}."


def batched_rows(result):
    yield ""
    yield "| sequences at once, tokens/s of all, median (min to max) | threads | Tessera | llama.cpp | ratio |"
    yield "| --- | --- | --- | --- | --- |"
    for row in result["rows"]:
        yield (f"| {row['sequences']} | {row['threads']} | {text(row['tessera_tokens_per_s'])} | {text(row['llama_cpp_tokens_per_s'])} | "
               f"{row['ratio']:.2f} |")


def format_rows(result):
    yield ""
    yield "| weights, tokens/s (times llama.cpp's) | decode, 1 thread | decode, 2 threads | prefill, 1 thread | prefill, 2 threads | peak memory, MB |"
    yield "| --- | --- | --- | --- | --- | --- |"
    rows = {(row["format"], row["phase"], row["threads"]): row for row in result["rows"]}
    for name, memory in result["memory"].items():
        cells = [rows[name, phase, threads] for phase in ("decode", "prefill") for threads in (1, 2)]
        theirs = memory["llama_cpp_mb"] - memory["of_which_python_mb"]
        yield (f"| {name} | " + " | ".join(f"{row['tessera_tokens_per_s']['median']:g} ({row['ratio']:.2f})" for row in cells) +
               f" | {memory['tessera_mb']:g} ({memory['tessera_mb'] / theirs:.2f}) |")
    yield ""
    yield f"Medians of {result['repeats']} interleaved runs, llama.cpp with flash attention and repacked weights; {result['date']}."


def avx2_rows(result):
    yield ""
    cells = ", ".join(f"{row['phase']} {row['tessera_tokens_per_s']['median']:g} and {row['llama_cpp_tokens_per_s']['median']:g} tokens/s "
                      f"({row['ratio']:.2f}) at {row['threads']} thread{'s' if row['threads'] > 1 else ''}" for row in result["rows"])
    yield f"The row for AVX2 alone beside llama.cpp built for AVX2, {result['model']}: {cells}."


def gemm_rows(result):
    yield ""
    runs = {(run["dtype"], run["threads"]): run["geometric_mean_ratio"] for run in result["runs"]}
    cells = ", ".join(f"{dtype} {runs[dtype, 1]:.2f} and {runs[dtype, 2]:.2f}" for dtype in ("f32", "bf16", "u8"))
    yield (f"GEMM against the better of OpenBLAS and oneDNN (packed weights), geometric mean of {len(result['runs'][0]['rows'])} shapes at 1 and 2 threads: "
           f"{cells} times as fast (`bench/results/gemm_cpu.json`).")


def startup_rows(result):
    yield ""
    where = " on a machine busy with other work" if result["disturbed"] else ""
    yield f"| start-up{where}, seconds, median (min to max) | |"
    yield "| --- | --- |"
    yield f"| all {result['kernels']} kernels of the model compiled, cold cache | {text(result['cold_compile_s'])} |"
    yield f"| whole process up to the first token, warm cache | {text(result['warm_process_s'])} |"


def golden_rows(result):
    yield ""
    yield (f"Greedy text against llama.cpp on the same file, up to {result['steps']} tokens (`check_goldens`): the same on {result['stable_identical']} of the "
           f"{result['stable_prompts']} prompts where llama.cpp's own variants and the exact f32 model agree (wanted: {result['stable_identical_bar']:.0%}), and on {result['identical']} of all "
           f"{result['prompts']}; {result['differences_at_wide_gaps_of_llama_cpp']} differences start at no near tie. Mean logit "
           f"cosine with llama.cpp {result['mean_cosine']:.5f}; with the exact model {result['mean_cosine_with_exact']:.5f}, where llama.cpp has "
           f"{result['llama_cpp_mean_cosine_with_exact']:.5f}.")


def render():
    lines = []
    for name, rows in (("decode_cpu.json", speed_rows), ("formats_cpu.json", format_rows), ("batched_cpu.json", batched_rows),
                       ("decode_cpu_avx2.json", avx2_rows), ("gemm_cpu.json", gemm_rows),
                       ("startup_cpu.json", startup_rows), ("goldens_cpu.json", golden_rows)):
        result = load(name)
        lines += rows(result) if result else []
    return "\n".join(lines) + "\n" if lines else ""


def main():
    readme = open(README).read()
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    wanted = before + BEGIN + render() + END + after
    if "--check" in sys.argv:
        sys.exit(0 if wanted == readme else "README.md: the figures are not those of bench/results; run bench/table.py")
    open(README, "w").write(wanted)


if __name__ == "__main__":
    main()
