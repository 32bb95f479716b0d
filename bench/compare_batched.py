#!/usr/bin/env python3
"""Decoding of several sequences at once beside llama.cpp; writes bench/results/batched_cpu.json.

As compare_llama.py, with a cache of its own for each sequence on both sides: every sequence decodes 128 tokens
after a 16-token prompt, and all take each step together. Figures are tokens a second of all sequences.
"""
import common
import compare_llama


def main():
    arguments = common.parser(__doc__, 5)
    arguments.add_argument("--sequences", type=int, nargs="+", default=[1, 2, 4, 8])
    given = arguments.parse_args()
    measure = common.measurer(given)
    rows = [{"sequences": sequences, **row} for threads in given.threads for sequences in given.sequences
            for row in compare_llama.compare(threads, given.repeats, measure, ["decode"], sequences)]
    compare_llama.write("batched_cpu.json", given, {"rows": rows})


if __name__ == "__main__":
    main()
