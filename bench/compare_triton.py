#!/usr/bin/env python3
"""Sets our NVIDIA code beside Triton's: same op, tile, warps and stages, same ptxas, same virtual GPU; no GPU is needed.

Writes bench/results/triton_gpu.json and triton_gpu.md. Run it with a Python that can import triton (scripts/dev/peers installs one); nothing
else needs Triton. Loops are counted in machine code: from the label to the last backward branch, of the innermost loop with the most matrix
operations that has the fewest other instructions, without NOPs.
"""
import argparse
import dataclasses
import json
import math
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile

import common

CHIPS = {"t4": 75, "a100": 80, "a10g": 86, "h100": 90}
ARCH = {75: "sm_75", 80: "sm_80", 86: "sm_86", 90: "sm_90a"}
STAGES = {75: 2, 80: 3, 86: 3, 90: 4}  # the default of our targets


@dataclasses.dataclass
class Side:
    """What one launch takes: arguments as `tessera run-kernel` reads them, the grid as x,y,z, and which argument is the result."""
    args: list
    grid: str
    out: int


@dataclasses.dataclass
class Case:
    title: str
    op: str
    dtype: str
    sizes: str
    config: str
    ours: Side
    kernel: str
    signature: dict
    constants: dict
    theirs: Side
    result: str            # element type of the result, as struct has it
    files: callable = dict  # contents of the files that arguments name, `@NAME`, in the folder of the run


def gemm(m, n, k, bm, bn, bk):
    tensors = [f"f16[{m}x{k}]=random:1", f"f16[{k}x{n}]=random:2", f"f16[{m}x{n}]=0"]
    grid = f"{m // bm},{n // bn}"
    return Case(f"gemm f16 {m}x{n}x{k}, tile {bm}x{bn}x{bk}", "gemm", "f16", f"M={m},N={n},K={k}", f"bm={bm},bn={bn},bk={bk}",
                Side([f"u64={x}" for x in (m, n, k)] + tensors, grid, 5), "gemm",
                {"a": "*fp16", "b": "*fp16", "c": "*fp16", "M": "i32", "N": "i32", "K": "i32"}, {"BM": bm, "BN": bn, "BK": bk},
                Side(tensors + [f"i32={x}" for x in (m, n, k)], grid, 2), "e")


def attention(heads, kv, d, queries, bm, bn, page=64):
    slots = queries // page
    tensors = [f"f16[{queries * heads * d}]=random:1", f"f16[{slots * kv * page * d}]=random:2", f"f16[{slots * kv * page * d}]=random:3",
               f"i32[{slots}]=iota", f"i32[1]={queries}", f"f16[{queries * heads * d}]=0"]
    group = heads // kv
    return Case(f"attention f16 d={d}, {queries} causal queries, {heads}/{kv} heads, tile {bm}x{bn}", "attention", "f16",
                f"f16=1,batch=1,queries={queries},pages={slots},slots={slots},heads={heads},kvHeads={kv},headDim={d},pageSize={page}",
                f"bh=1,bm={bm},bn={bn}", Side([f"u64={x}" for x in (1, queries, slots, slots)] + tensors, f"{queries // bm},{group},{kv}", 9),
                "attention", {"q": "*fp16", "k": "*fp16", "v": "*fp16", "table": "*i32", "length": "*i32", "o": "*fp16", "queries": "i32",
                              "slots": "i32", "scale": "fp32"}, {"H": heads, "KV": kv, "D": d, "PAGE": page, "BM": bm, "BN": bn},
                Side(tensors + [f"i32={queries}", f"i32={slots}", f"f32={math.log2(math.e) / math.sqrt(d)}"], f"{queries // bm},{heads},1", 5), "e")


def rms_norm(rows, d):
    tensors = [f"f32[{rows}x{d}]=random:1", f"f32[{d}]=random:2", f"f32[{rows}x{d}]=0", "f32=1e-5"]
    return Case(f"rms_norm f32 {rows}x{d}", "rms_norm", "f32", f"T={rows},D={d}", "bd=1024", Side([f"u64={rows}", f"u64={d}"] + tensors, f"{rows}", 4),
                "rms_norm", {"x": "*fp32", "w": "*fp32", "y": "*fp32", "eps": "fp32", "D": "i32"}, {"BD": 1024},
                Side(tensors + [f"i32={d}"], f"{rows}", 2), "f")


def softmax(rows, columns):
    tensors = [f"f32[{rows}x{columns}]=random:1", f"f32[{rows}x{columns}]=0"]
    return Case(f"softmax f32 {rows}x{columns}", "softmax", "f32", f"R={rows},C={columns}", "bc=1024",
                Side([f"u64={rows}", f"u64={columns}"] + tensors, f"{rows}", 3), "softmax", {"x": "*fp32", "y": "*fp32", "C": "i32"}, {"BC": columns},
                Side(tensors + [f"i32={columns}"], f"{rows}", 1), "f")


def int4_weights(n, k):
    """The same codes and scales for both: ours in panels of q4_0 (base/dtype.h), theirs as words along k and rows of scales."""
    values = random.Random(1)
    groups = k // 32
    codes = [values.randbytes(k) for _ in range(n)]  # the low four bits of each byte
    scales = [[struct.pack("<e", values.uniform(0.005, 0.02)) for _ in range(groups)] for _ in range(n)]
    panels = bytearray()
    for first in range(0, n, 16):
        for group in range(groups):
            for octet in range(group * 32, group * 32 + 32, 8):
                for row in codes[first:first + 16]:
                    panels += bytes(row[octet + i] & 15 | (row[octet + 4 + i] & 15) << 4 for i in range(4))
            panels += b"".join(row[group] for row in scales[first:first + 16])
    words = bytearray()
    for octet in range(0, k, 8):
        for row in codes:
            words += bytes(row[octet + i] & 15 | (row[octet + i + 1] & 15) << 4 for i in range(0, 8, 2))
    return {"panels": bytes(panels), "words": bytes(words), "scales": b"".join(row[group] for group in range(groups) for row in scales)}


def int4(m, n, k, bm, bn):
    grid = f"{m // bm},{n // bn}"
    return Case(f"int4 matmul f16 x q4_0 {m}x{n}x{k}, tile {bm}x{bn}x32", "quant_matmul", "q4_0", f"f16=1,M={m},N={n},K={k}", f"bm={bm},bn={bn}",
                Side([f"u64={x}" for x in (m, n, k)] + [f"f16[{m}x{k}]=random:1", f"u8[{n * k // 32 * 18}]=@panels", f"f32[{m}x{n}]=0"], grid, 5),
                "int4_matmul", {"a": "*fp16", "w": "*i32", "scales": "*fp16", "c": "*fp32", "M": "i32", "N": "i32", "K": "i32"},
                {"BM": bm, "BN": bn, "BK": 32},
                Side([f"f16[{m}x{k}]=random:1", f"i32[{k // 8}x{n}]=@words", f"f16[{k // 32}x{n}]=@scales", f"f32[{m}x{n}]=0"] +
                     [f"i32={x}" for x in (m, n, k)], grid, 3), "f", lambda: int4_weights(n, k))


CASES = [gemm(2048, 2048, 512, 128, 128, 32), gemm(1024, 1024, 512, 64, 64, 32), attention(8, 2, 64, 1024, 64, 64),
         attention(8, 2, 128, 1024, 64, 32), rms_norm(1024, 4096), softmax(1024, 4096), int4(256, 1024, 1024, 64, 64)]


class Failure(Exception):
    pass


def said(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise Failure(f"{os.path.basename(command[0])} fails: {lines[-1][:200]}")
    return done.stdout + done.stderr


def compile_ours(case, chip, path):
    report = json.loads(said([common.TESSERA, "compile", "--op", case.op, "--dtype", case.dtype, "--size", case.sizes, "--config", case.config,
                              "--target", chip, "--ptxas", "none", "--emit", "asm", "-o", path, "--json"]))
    with open(path) as file:
        maps = ".align 64 .b8 " + report["entries"][-1]["entry"] in file.read()
    return {"entry": report["entries"][-1]["entry"], "warps": report["threads"] // 32, "shared": report["shared_bytes"], "maps": maps}


def compile_theirs(case, arch, warps, path):
    import triton
    import triton_kernels
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource
    signature = case.signature | {name: "constexpr" for name in case.constants}
    aligned = {(i,): [["tt.divisibility", 16]] for i, kind in enumerate(case.signature.values()) if kind.startswith("*") or
               (kind == "i32" and list(case.signature)[i] != "slots")}
    try:
        made = triton.compile(ASTSource(getattr(triton_kernels, case.kernel), signature, case.constants, aligned),
                              target=GPUTarget("cuda", arch, 32), options={"num_warps": warps, "num_stages": STAGES[arch], "ptx_version": 88})  # which the virtual GPU reads
    except Exception as error:  # whatever a compiler throws
        raise Failure(f"Triton fails: {(str(error).strip().splitlines() or [type(error).__name__])[-1][:160]}") from error
    with open(path, "w") as file:
        file.write(made.asm["ptx"])
    return {"entry": made.metadata.name, "warps": made.metadata.num_warps, "shared": made.metadata.shared}


def assembled(tools, arch, path, entry):
    """Registers, spilled bytes (stores) and the machine code's text of an entry."""
    told = said([tools["ptxas"], "-v", f"-arch={ARCH[arch]}", path, "-o", path + ".cubin"])
    about = told.split(f"Compiling entry function '{entry}'")[1].split("Compiling entry function")[0]
    registers = int(re.search(r"Used (\d+) registers", about)[1])
    spilled = int(re.search(r"(\d+) bytes spill stores", about)[1])
    listing = said([tools["nvdisasm"], "-c", path + ".cubin"])
    code = re.search(r"^\.text\." + re.escape(entry) + r":\n(.*?)(?=^\.text\.|^//---|\Z)", listing, re.M | re.S)
    return registers, spilled, code[1]


def main_loop(code):
    """Counts of the innermost loop with matrix operations, else None."""
    lines, labels, loops = [], {}, []
    for line in code.splitlines():
        if label := re.match(r"\s*(\.L_\w+):", line):
            labels[label[1]] = len(lines)
        elif found := re.search(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][\w.]*)\s*(.*)", line):
            lines.append(found[1])
            target = re.search(r"`\((\.L_\w+)\)", found[2])
            if found[1].startswith("BRA") and target and target[1] in labels:
                loops.append((labels[target[1]], len(lines)))
    counted = []
    for begin, end in loops:
        if any(begin <= b and e <= end and (b, e) != (begin, end) and e - b > 8 for b, e in loops):
            continue  # not the innermost
        body = [name for name in lines[begin:end] if not name.startswith("NOP")]
        kinds = [name.split(".")[0] for name in body if name.startswith(("HMMA", "IMMA", "QMMA", "HGMMA"))]
        mma = len(kinds)
        if mma:
            counted.append({"kind": kinds[0], "mma": mma, "ldmatrix": sum(name.startswith("LDSM") for name in body), "all": len(body)})
    most = max((loop["mma"] for loop in counted), default=0)
    return min((loop for loop in counted if loop["mma"] == most), key=lambda loop: loop["all"], default=None)


def run(tools, chip, case, path, made, side, extra, out):
    arguments = [x for arg in side.args + extra for x in ("--arg", arg.replace("@", "@" + os.path.dirname(path) + os.sep))]
    command = [common.TESSERA, "run-kernel", path, "--device", f"virtual:{chip}", "--kernel", made["entry"], "--grid", side.grid, "--block",
               str(32 * made["warps"]), "--shared", str(made["shared"]), "--out", f"{side.out}={out}", "--json"] + arguments
    if made.get("maps"):  # tensor maps are the launch's to make
        command = [os.path.join(os.path.dirname(common.TESSERA), "vgpu_op"), f"virtual:{chip}", case.op, case.dtype, case.sizes, case.config]
    environment = os.environ | {"PATH": tools["path"] + os.pathsep + os.environ.get("PATH", "")}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    report = json.loads(done.stdout or "{}")
    if "modelled_us" not in report:
        why = report["findings"][0]["text"] if report.get("findings") else (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Failure(f"does not run on the virtual GPU: {why}"[:200])
    return {"modelled_us": round(report["modelled_us"], 2), "warp_instructions": report["counters"]["warp_instructions"],
            "bank_conflict_degree": round(report["counters"]["bank_conflict_degree"], 3), "findings": len(report["findings"])}


def measure(tools, chip, case, make, side, extra, folder):
    path = os.path.join(folder, "k.ptx")
    try:
        made = make(path)
        registers, spilled, code = assembled(tools, CHIPS[chip], path, made["entry"])
        row = {"warps": made["warps"], "registers": registers, "spilled_bytes": spilled, "shared_bytes": made["shared"], "loop": main_loop(code)}
        with open(path) as file:
            spare = len(re.findall(r"^\s*\.param", re.search(r"\.entry\s+" + made["entry"] + r"\((.*?)\)\s*\n", file.read(), re.S)[1], re.M))
        row |= run(tools, chip, case, path, made, side, extra[:max(0, spare - len(side.args))], os.path.join(folder, "out"))
        if made.get("maps"):
            return row, b""
        with open(os.path.join(folder, "out"), "rb") as file:
            return row, file.read()
    except Failure as failure:
        return {"failure": str(failure)}, b""


def difference(case, ours, theirs):
    """The largest difference of the results over the largest result."""
    if not ours:
        return None
    pairs = list(zip(struct.iter_unpack("<" + case.result, ours), struct.iter_unpack("<" + case.result, theirs)))
    return max(abs(x - y) for (x,), (y,) in pairs) / max(abs(y) for _, (y,) in pairs)


def compare(tools, chip, case):
    made = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, content in case.files().items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)

        def compile_and_keep(path):
            made.update(compile_ours(case, chip, path))
            return made
        ours, mine = measure(tools, chip, case, compile_and_keep, case.ours, [], folder)
        theirs, other = measure(tools, chip, case, lambda path: compile_theirs(case, CHIPS[chip], made.get("warps", 4), path), case.theirs, ["u64=0"] * 2, folder)
    row = {"chip": chip, "case": case.title, "ours": ours, "triton": theirs}
    if "failure" not in ours and "failure" not in theirs:
        row |= {"ratios": ratios(ours, theirs), "difference": difference(case, mine, other)}
    print(json.dumps(row), flush=True)
    return row


def ratios(ours, theirs):
    rows = {"time": (ours["modelled_us"], theirs["modelled_us"]), "registers": (ours["registers"], theirs["registers"]),
            "instructions": (ours["warp_instructions"], theirs["warp_instructions"])}
    if ours["loop"] and theirs["loop"] and ours["loop"]["kind"] == theirs["loop"]["kind"] == "HMMA":
        rows["loop"] = tuple(side["loop"]["all"] / side["loop"]["mma"] for side in (ours, theirs))
    return {name: round(x / y, 3) for name, (x, y) in rows.items()}


def means(rows):
    values = {}
    for row in rows:
        for name, value in row.get("ratios", {}).items():
            values.setdefault(name, []).append(value)
    return {name: round(math.exp(sum(map(math.log, all)) / len(all)), 3) for name, all in values.items()}


def loop_text(side):
    loop = side["loop"]
    return f"{loop['all'] / loop['mma']:.2f} ({loop['mma']} of {loop['all']})" if loop else "-"


def table(result):
    yield "# Our code beside Triton's"
    yield ""
    yield (f"Triton {result['triton']}, ptxas {result['ptxas']} for both, {result['date']}, commit {result['commit']}. Same tiles and warps; Triton with as many "
           "stages as we take by default. Each cell: ours / Triton's. *Loop*: machine instructions for each matrix operation in the main loop. *Modelled*: "
           "microseconds on the virtual GPU, whose model is calibrated on plain kernels (`vgpu_model.md`); *ratio* below 1: ours is faster. Losses "
           "are in bold. Written by `bench/compare_triton.py`.")
    yield ""
    yield "| Chip | Case | Registers | Spilled bytes | Shared bytes | Loop | Warp instructions | Modelled us | Ratio |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for row in result["rows"]:
        ours, theirs = row["ours"], row["triton"]
        if "failure" in ours or "failure" in theirs:
            yield f"| {row['chip']} | {row['case']} | " + "; ".join(f"{who}: {side['failure']}".replace("|", "/") for who, side in (("ours", ours), ("Triton", theirs))
                                                                   if "failure" in side) + " | | | | | | |"
            continue
        cells = [f"{ours[name]} / {theirs[name]}" for name in ("registers", "spilled_bytes", "shared_bytes")]
        time = row["ratios"]["time"]
        cells += [f"{loop_text(ours)} / {loop_text(theirs)}", f"{ours['warp_instructions']} / {theirs['warp_instructions']}",
                  f"{ours['modelled_us']} / {theirs['modelled_us']}", f"**{time:.2f}**" if time > 1 else f"{time:.2f}"]
        yield f"| {row['chip']} | {row['case']} | " + " | ".join(cells) + " |"
    yield ""
    for name, value in [("all chips", result["geometric_means"])] + list(result["geometric_means_by_chip"].items()):
        yield f"- Geometric means of ours over Triton's, {name}: " + ", ".join(f"{key} {number:.3f}" for key, number in value.items())


def find_tools(given, folder):
    """Paths of ptxas and nvdisasm: Triton's newest, since an older one does not read its text. `folder` gets a `ptxas` for the virtual GPU's PATH."""
    import triton
    carried = os.path.join(os.path.dirname(triton.__file__), "backends/nvidia/bin")
    found = {}
    for tool, names in (("ptxas", [given] if given else ["ptxas-blackwell", "ptxas"]), ("nvdisasm", ["nvdisasm"])):
        found[tool] = next((path for path in (os.path.join(carried, name) for name in names) if os.path.exists(path)), None) or shutil.which(tool)
        if not found[tool]:
            sys.exit(f"{tool} is missing, and this Triton carries none; put it on PATH")
    os.symlink(found["ptxas"], os.path.join(folder, "ptxas"))
    return found | {"path": folder}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--ptxas", default="", help="the assembler for both sides; left out, Triton's newest")
    arguments.add_argument("--chips", default=",".join(CHIPS), help="which of " + ",".join(CHIPS))
    arguments.add_argument("--only", default="", help="cases whose title contains this; nothing is written then")
    given = arguments.parse_args()
    try:
        import triton
    except ImportError:
        sys.exit("Triton is not installed for this Python, so there is nothing to compare with; scripts/dev/peers installs it (no part of Tessera needs it).")
    os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")  # what it does anyway, but without a warning
    with tempfile.TemporaryDirectory() as folder:
        tools = find_tools(given.ptxas, folder)
        rows = [row for chip in given.chips.split(",") for case in CASES if given.only in case.title for row in [compare(tools, chip, case)]]
        version = re.search(r"V([\d.]+)", said([tools["ptxas"], "--version"]))[1]
    if given.only or given.chips != ",".join(CHIPS):
        return
    common.write("triton_gpu.json", {"triton": triton.__version__, "ptxas": version, "geometric_means": means(rows),
                                     "geometric_means_by_chip": {chip: means([row for row in rows if row["chip"] == chip]) for chip in CHIPS},
                                     "rows": rows})
    with open(os.path.join(common.RESULTS, "triton_gpu.json")) as file:
        text = "\n".join(table(json.load(file))) + "\n"
    with open(os.path.join(common.RESULTS, "triton_gpu.md"), "w") as file:
        file.write(text)
    print(text)


if __name__ == "__main__":
    main()
