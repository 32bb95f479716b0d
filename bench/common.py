"""Shared by the bench scripts: where things lie, how a measurement is taken and written, which machine it was."""
import argparse
import datetime
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TESSERA = os.path.join(ROOT, "build/bin/tessera")
RESULTS = os.path.join(ROOT, "bench/results")
DEVICE = "cpu"  # or a row of it such as cpu-avx2
MODEL = os.path.expanduser("~/.cache/tessera/models/SmolLM2-135M-Instruct.Q4_1.gguf")


def spread(values, digits):
    return {"median": round(statistics.median(values), digits), "min": round(min(values), digits), "max": round(max(values), digits)}


class Quiet:
    """Takes only measurements during which other processes (and the host) used less than `allowed` of one core."""

    def __init__(self, patience_s, allowed=0.15):
        self.deadline, self.allowed, self.refused = time.monotonic() + patience_s, allowed, 0

    @staticmethod
    def foreign_s():
        """CPU seconds that were not ours, since boot: user, nice, system, irq, softirq and steal, less our own and our children's."""
        with open("/proc/stat") as file:
            ticks = [int(field) for field in file.readline().split()[1:]]
        own = sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
        return (sum(ticks[:3]) + sum(ticks[5:8])) / os.sysconf("SC_CLK_TCK") - own

    def measure(self, run):
        """run()'s result, from a quiet moment."""
        while True:
            start, foreign = time.monotonic(), self.foreign_s()
            time.sleep(0.5)
            if self.foreign_s() - foreign < self.allowed * (time.monotonic() - start):
                start, foreign = time.monotonic(), self.foreign_s()
                result = run()
                if self.foreign_s() - foreign < self.allowed * (time.monotonic() - start):
                    return result
                self.refused += 1
            if time.monotonic() > self.deadline:
                sys.exit("The machine was never quiet for long enough: other processes kept it busy. Nothing was written.")


def bench_decode(threads, prompt, count, *flags):
    """(prefill tokens/s, decode tokens/s) of one run of `tessera bench decode`, after one that warms up."""
    said = subprocess.run([TESSERA, "bench", "decode", "--model", MODEL, "--device", DEVICE, "--threads", str(threads), "--prompt-tokens", str(prompt),
                           "--gen-tokens", str(count), "--repeats", "1", "--json", *flags],
                          check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    row = json.loads(said)
    return row["prefill_tokens_per_s"]["median"], row["decode_tokens_per_s"]["median"]


def parser(doc, repeats):
    """The flags that benches which want a quiet machine have."""
    arguments = argparse.ArgumentParser(description=doc.splitlines()[0])
    arguments.add_argument("--repeats", type=int, default=repeats)
    arguments.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments.add_argument("--patience", type=float, default=3600, help="seconds to wait for quiet moments")
    arguments.add_argument("--noisy", action="store_true", help="measure whatever else runs; write nothing")
    return arguments


def measurer(given):
    """How to take a measurement: from a quiet moment, unless told otherwise."""
    return (lambda run: run()) if given.noisy else Quiet(given.patience).measure


def cpu():
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} hardware threads"


def write(name, result):
    """Writes bench/results/`name` with the model, machine, day and commit in front."""
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], stdout=subprocess.PIPE, text=True).stdout.strip()
    head = {"model": os.path.basename(MODEL), "cpu": cpu(), "date": datetime.date.today().isoformat(), "commit": commit}
    os.makedirs(RESULTS, exist_ok=True)
    with open(os.path.join(RESULTS, name), "w") as file:
        json.dump(head | result, file, indent=2)
        file.write("\n")
