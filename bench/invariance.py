#!/usr/bin/env python3
"""What it costs that every schedule gives the same bits; writes bench/results/invariance_cpu.json.

Kernels add in an order that neither shapes nor threads may change (docs/design/0005-operators.md). Here decoding with those orders takes turns
with decoding under schedules that are free to choose others: the softmax of longer or shorter parts, so that all threads have some; two blocks of
keys a step; longer steps of norms. A ratio above 1 is a free schedule that decodes faster. The cost of a case is its best free schedule's
median of pairs, less 1; as the best of several it is rather too high.
"""
import os

import common

FREE = {"split_128": ["--split", "128"], "split_256": ["--split", "256"], "whole": ["--split", "16384"],
        "two_blocks": ["--schedule", "attention:blocks=2"], "long_norms": ["--schedule", "rms_norm:bd=576"]}
DECODED = 64


def case(name, threads, prompt, repeats, measure):
    """Decode speed of the fixed orders, and every free schedule's in relation to it, run by run."""
    common.MODEL = common.MODEL.replace(os.path.basename(common.MODEL).split(".")[-2], name)
    schedules = {"fixed": []} | FREE
    run = lambda flags: common.bench_decode(threads, prompt, DECODED, *flags)
    for flags in schedules.values():
        common.bench_decode(threads, 16, 2, *flags)  # compiles what no cache holds
    taken = {schedule: [] for schedule in schedules}
    for _ in range(repeats):
        for schedule, flags in schedules.items():
            taken[schedule].append(measure(lambda: run(flags)))
    row = {"format": name, "threads": threads, "prompt_tokens": prompt}
    for index, phase in enumerate(("prefill", "decode")):
        of = lambda schedule: [speeds[index] for speeds in taken[schedule]]
        ratios = {schedule: common.spread([a / b for a, b in zip(of(schedule), of("fixed"))], 3) for schedule in FREE}
        row[phase] = {"fixed_tokens_per_s": common.spread(of("fixed"), 1), "free_over_fixed": ratios,
                      "cost": round(max(0, max(ratio["median"] for ratio in ratios.values()) - 1), 3)}
        print(name, f"{threads} thread(s), {phase} at {prompt}: cost {row[phase]['cost']:.1%};",
              ", ".join(f"{schedule} {ratio['median']:.3f}" for schedule, ratio in ratios.items()), flush=True)
    return row


def main():
    arguments = common.parser(__doc__, 5)
    arguments.add_argument("--formats", nargs="+", default=["Q4_1", "F16"])
    arguments.add_argument("--prompts", type=int, nargs="+", default=[16, 900, 3000], help="tokens in the cache before the first that is timed")
    given = arguments.parse_args()
    measure, source = common.measurer(given), common.MODEL
    rows = [case(name, threads, prompt, given.repeats, measure) for name in given.formats for threads in given.threads for prompt in given.prompts]
    common.MODEL = source
    if not given.noisy:
        common.write("invariance_cpu.json", {"decoded": DECODED, "repeats": given.repeats, "free": {name: " ".join(flags) for name, flags in FREE.items()}, "rows": rows})


if __name__ == "__main__":
    main()
