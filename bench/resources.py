#!/usr/bin/env python3
"""What every default kernel takes of NVIDIA chips, against the project's bars; writes bench/results/resources_gpu.{json,md}.

Registers, spilled and local bytes of both entries come from ptxas. With --run each kernel is also launched once on the virtual GPU, on aligned
operands: the worst bank conflict of an ldmatrix, and the share of its accesses to global memory that move 16 bytes a lane. Kernels are those of
`tessera bench compile --library` and the variants below. Rows of other chips that the results hold already are kept.
"""
import argparse
import json
import os
import subprocess

import common

CHIPS = ["t4", "a10g", "a100", "l4", "h100"]
VGPU_OP = os.path.join(common.ROOT, "build/bin/vgpu_op")
FP8 = ["l4", "h100"]
PRODUCTS = ["gemm", "gemm_split", "gemm_stream", "quant_matmul"]
SYMBOLIC = ["M", "N", "K", "splits", "workers"]  # sizes that products are not compiled for, but through their config
NORMS = ["rms_norm", "layer_norm", "group_norm"]
QUANTIZED = ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q4_k", "q5_k", "q6_k"]
WEIGHTS = [*QUANTIZED, "f16", "bf16", "f32", "panel_f16", "panel_bf16", "panel_f32"]
# Attention by threads (f32 over any cache) and in halves, of one query, of many, whole and in splits.
HEADS = [64, 80, 96, 112, 128, 192, 256]
QUERIES = ["queries=1", "queries=64", "queries=1,split=512,partial=1", "queries=64,split=512"]
ATTENTION = [("attention", dtypes, f"slots=4,pages=4,headDim={head},{queries}{halves}") for head in HEADS for queries in QUERIES
             for dtypes, halves in [(["f32", "f16", "bf16"], ""), (["f16"], ",f16=1"), (["bf16"], ",bf16=1")]]
# Beside the library's bench shapes: op, dtypes, sizes.
VARIANTS = [
    ("gemm", ["f16", "bf16", "i8", "f32"], "M=16,N=576,K=4096"),
    ("gemm", ["f16", "bf16", "i8", "f32", "e4m3", "e5m2"], "M=512,N=512,K=512,transposed=1"),
    ("gemm", ["f16", "i8", "e4m3"], "M=16,N=576,K=4096,transposed=1"),
    ("gemm", ["f32"], "M=256,N=256,K=256,tf32=1"),
    ("gemm_split", ["f16", "i8"], "M=16,N=576,K=4096,splits=8"),
    ("quant_matmul", ["q4_0", "q8_0", "q4_k", "f16"], "M=16,N=576,K=1536"),
    ("quant_matmul", ["q4_0", "q4_1", "q8_0", "q4_k", "q6_k"], "M=64,N=512,K=1024,f16=1"),
    ("quant_matmul", ["q4_0", "q8_0"], "M=16,N=512,K=1024,f16=1"),
    # Every height of a product's blocks (1 to 31 rows are one kernel, as 128 and more are), and every pair of types.
    *[("gemm", ["f16", "bf16", "i8", "u8", "f32", "e4m3", "e5m2"], f"M={m},N=576,K=4096,transposed={t}")
      for m in (16, 32, 64, 128, 512) for t in (0, 1)],
    *[("gemm", ["f32"], f"M={m},N=576,K=4096,tf32=1,transposed={t}") for m in (16, 32, 64, 128) for t in (0, 1)],
    *[("gemm_split", ["f16", "bf16", "i8", "f32"], f"M={m},N=576,K=4096,splits=8,transposed={t}") for m in (16, 32, 64, 128) for t in (0, 1)],
    *[("gemm_stream", ["f16", "bf16", "f32"], f"M={m},N=384,K=512,workers=8,transposed={t}") for m in (16, 32, 64, 128) for t in (0, 1)],
    *[("quant_matmul", WEIGHTS, f"M={m},N=512,K=1024") for m in (4, 32, 64)],
    *[("quant_matmul", WEIGHTS, f"M={m},N=512,K=1024,gate=1") for m in (1, 16, 64)],
    *[("quant_matmul", [w for w in WEIGHTS if w in QUANTIZED or w.endswith(f"_{a}") or w == a], f"M={m},N=512,K=1024,{a}=1")
      for a in ("f16", "bf16") for m in (1, 32, 64)],
    ("attention", ["f16"], "queries=128,f16=1,headDim=64,slots=8,pages=8"),
    ("attention", ["f16"], "queries=128,f16=1,headDim=128,slots=8,pages=8"),
    ("attention", ["f16"], "queries=1,f16=1,headDim=128,slots=8,pages=8"),
] + ATTENTION
# Accesses that cannot take 16 bytes, and why.
NARROW = {
    "embedding": "a token's number is one word, a block's scale one half",
    "kv_append": "a slot's number is one word",
    "rope_append": "positions and slots are single words",
    "rope": "a position is one word",
    "attention": "lengths and page numbers are single words",
    "attention_merge": "lengths are single words",
    "arg_max": "the result is one word",
    "arg_max_merge": "parts are a few words",
    "quantize": "four codes of four f32 are one word, as a group's scale and sum are",
    "silu_and_mul": "with codes, as quantize",
    "rms_norm": "what four f32 become in f16 or 8 bits is 8 or 4 bytes",
    "gemm_merge": "what four f32 become in f16 is 8 bytes",
    "gemm_fix": "what four f32 become in f16 is 8 bytes",
    "group_norm": "a group may begin at any channel",
    "dequantize": "a block's scales are halves, its codes 16 or 32 bytes of which a row's lanes take a part each",
    "quantize_blocks": "a block's scales are halves, eight codes of eight f32 one word",
    "quant_matmul": "scales of packed blocks are halves or bytes, those of activations a word a row; one row's lanes own outputs",
}


def library(chip, flags):
    said = subprocess.run([common.TESSERA, "bench", "compile", *flags, "--target", chip, "--ptxas", PTXAS, "--json"],
                          check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return json.loads(said)


def launched(chip, row):
    """What the virtual GPU counted, or why it did not run."""
    done = subprocess.run([VGPU_OP, f"virtual:{chip}", row["op"], row["dtype"], row["shape"], ""], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=900)
    if done.returncode:
        return {"error": done.stderr.strip()}
    report = json.loads(done.stdout)
    counters = report["counters"]
    widths = counters["global_requests_by_width"]
    return {"entry": report["kernel"], "findings": len(report["findings"]), "modelled_us": report["modelled_us"],
            "bank_conflict_degree": counters["bank_conflict_degree"], "matrix_load_degree": counters["matrix_load_degree"],
            "global_requests_by_width": widths, "share_16": round(widths.get("16", 0) / sum(widths.values()), 4) if widths else 1}


def rows_of(chip, run, ops):
    asked = [library(chip, ["--op", op]) for op in ops] or [library(chip, ["--library"])]
    rows = [row for said in asked for row in said["rows"]]
    for op, dtypes, sizes in VARIANTS:
        for dtype in dtypes if not ops or op in ops else []:
            if not dtype.startswith("e") or chip in FP8:
                rows += library(chip, ["--op", op, "--dtype", dtype, "--size", sizes])["rows"]
    kept, seen = [], set()
    for row in rows:
        row = {"chip": chip} | {name: row[name] for name in ("op", "dtype", "shape", "config", "general", "aligned")}
        flags = ",".join(part for part in row["shape"].split(",") if part.split("=")[0] not in SYMBOLIC)
        key = (row["op"], row["dtype"], flags if row["op"] in PRODUCTS else row["shape"], row["config"])
        if key not in seen:
            seen.add(key)
            kept.append(row)
    for row in kept if run else []:
        row["virtual"] = launched(chip, row)
        print(chip, row["op"], row["dtype"], row["shape"], row["virtual"])
    return asked[0]["ptxas"], kept


def is_narrow(row):
    """Float weights of more than one row of activations are as wide as any."""
    return row["op"] in NARROW and not (row["op"] == "quant_matmul" and row["dtype"] not in QUANTIZED and "M=1," not in row["shape"])


def bars_broken(row):
    """Sentences; empty where all bars hold."""
    said = []
    for name in ("general", "aligned"):
        entry = row[name]
        if entry and (entry["spill_bytes"] or entry["local_bytes"]):
            said.append(f"{name} entry: {entry['spill_bytes']} bytes spilled, {entry['local_bytes']} local")
        if entry and row["op"] in NORMS and entry["registers"] > 40:
            said.append(f"{name} entry: {entry['registers']} registers (bar 40)")
    bar = {"t4": 184}.get(row["chip"], 168)
    if row["op"] == "gemm" and row["dtype"] == "f16" and row["config"] == "bm=128,bn=128,bk=32" and row["aligned"]["registers"] > bar:
        said.append(f"aligned entry: {row['aligned']['registers']} registers (bar {bar})")
    seen = row.get("virtual")
    if seen and "error" in seen:
        said.append(f"did not run: {seen['error']}")
    elif seen:
        if seen["findings"]:
            said.append(f"{seen['findings']} findings of the checker")
        if seen["matrix_load_degree"] > 1:
            said.append(f"matrix loads meet banks {seen['matrix_load_degree']:.2f} times")
        if seen["share_16"] < 1 and not is_narrow(row):
            said.append(f"{100 * seen['share_16']:.0f} % of global accesses move 16 bytes: {seen['global_requests_by_width']}")
    return said


def table(rows, value, worst):
    """A line an op, a column a chip."""
    ops = list(dict.fromkeys(row["op"] for row in rows))
    lines = ["| op | " + " | ".join(CHIPS) + " |", "|---" * (len(CHIPS) + 1) + "|"]
    for op in ops:
        cells = []
        for chip in CHIPS:
            values = [v for row in rows if row["op"] == op and row["chip"] == chip for v in value(row) if v is not None]
            cells.append(str(worst(values)) if values else "")
        lines.append(f"| {op} | " + " | ".join(cells) + " |")
    return lines


def entries(row, field):
    return [row[name] and row[name][field] for name in ("general", "aligned")]


def markdown(ptxas, rows):
    ran = [row for row in rows if "error" not in row.get("virtual", {"error": 0})]
    lines = ["# What every default kernel takes of NVIDIA chips", "",
             f"`bench/resources.py --run`, ptxas {ptxas}: {len(rows)} kernels in default configs, {len(ran)} of them launched once on the virtual GPU with",
             "aligned operands. Both entries count; every row is in `resources_gpu.json`.", "",
             "## Most registers", ""]
    lines += table(rows, lambda row: entries(row, "registers"), max)
    lines += ["", "## Most bytes spilled", ""]
    lines += table(rows, lambda row: entries(row, "spill_bytes"), lambda v: f"**{max(v)}**" if max(v) else 0)
    lines += ["", "## Worst bank conflict of an ldmatrix (0: none is executed)", ""]
    lines += table(ran, lambda row: [row["virtual"]["matrix_load_degree"]], lambda v: f"**{max(v):.2f}**" if max(v) > 1 else max(v))
    lines += ["", "## Least share of global accesses that move 16 bytes (aligned entry)", ""]
    lines += table(ran, lambda row: [row["virtual"]["share_16"]], min)
    lines += ["", "Less than all where no more can be: " + "; ".join(f"{op}: {why}" for op, why in NARROW.items()) +
              ".", "",
              "## Rows that break a bar", "",
              "0 bytes spilled or local; norms at most 40 registers; 128 x 128 x 32 f16 GEMM at most 168 (t4: 184); ldmatrix meets no bank twice; all accesses",
              "of aligned operands move 16 bytes, but for those above.", "", "| chip | op | dtype | shape | config | what |", "|---|---|---|---|---|---|"]
    for row in rows:
        if said := bars_broken(row):
            lines.append(f"| {row['chip']} | {row['op']} | {row['dtype']} | {row['shape']} | {row['config']} | **{'; '.join(said)}** |")
    return "\n".join(lines) + "\n"


def main():
    global PTXAS
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--ptxas", default="", help="the assembler's path; the one on PATH or in CUDA_HOME where it is left out")
    arguments.add_argument("--run", action="store_true", help="also launch every kernel on the virtual GPU")
    arguments.add_argument("--ops", nargs="+", default=[], help="only these ops; all where it is left out")
    arguments.add_argument("--chips", nargs="+", default=CHIPS)
    given = arguments.parse_args()
    PTXAS = given.ptxas
    path = os.path.join(common.RESULTS, "resources_gpu.json")
    kept = json.load(open(path))["rows"] if os.path.exists(path) else []
    for chip in given.chips:
        ptxas, rows = rows_of(chip, given.run, given.ops)
        kept = [row for row in kept if row["chip"] != chip or given.ops and row["op"] not in given.ops] + rows
        kept.sort(key=lambda row: CHIPS.index(row["chip"]))
        common.write("resources_gpu.json", {"ptxas": ptxas, "rows": kept})
        with open(os.path.join(common.RESULTS, "resources_gpu.md"), "w") as file:
            file.write(markdown(ptxas, kept))
        print(f"{chip}: {len(rows)} kernels, {sum(bool(bars_broken(row)) for row in rows)} break a bar")


if __name__ == "__main__":
    main()
