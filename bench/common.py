"""Shared by the bench scripts: where things lie, how a spread is written, which machine it was."""
import datetime
import json
import os
import platform
import statistics
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TESSERA = os.path.join(ROOT, "build/bin/tessera")
RESULTS = os.path.join(ROOT, "bench/results")
MODEL = os.path.expanduser("~/.cache/tessera/models/SmolLM2-135M-Instruct.Q4_1.gguf")


def spread(values, digits):
    return {"median": round(statistics.median(values), digits), "min": round(min(values), digits), "max": round(max(values), digits)}


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
