#!/usr/bin/env python3
"""Writes the demo model in every weight format that the operators read, beside the Q4_1 file that scripts/demo fetches.

Run it in the environment that scripts/dev/peers makes: build/peers/bin/python scripts/dev/make_formats.py [FORMAT...]
The files are for tests and benches of the formats, not for use: they are requantized by llama.cpp from the Q4_1 file, so none is better
than that one. "Q4_K_M" and its kin hold K-quants only where a row is a multiple of 256 values, which of this model's matrices
only the down projections are; llama.cpp stores the others in Q5_0, Q5_1 or Q8_0.
"""
import os
import sys

import llama_cpp

FOLDER = os.path.expanduser("~/.cache/tessera/models")
SOURCE = os.path.join(FOLDER, "SmolLM2-135M-Instruct.Q4_1.gguf")
FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q4_K_M": 15, "Q5_K_M": 17, "Q6_K": 18, "BF16": 32}


def main():
    for name in sys.argv[1:] or FILE_TYPES:
        path = SOURCE.replace("Q4_1", name)
        if os.path.exists(path):
            continue
        options = llama_cpp.llama_model_quantize_default_params()
        options.ftype = FILE_TYPES[name]
        options.allow_requantize = True
        options.nthread = 1
        partial = path + ".part"
        if llama_cpp.llama_model_quantize(SOURCE.encode(), partial.encode(), options):
            sys.exit(f"llama.cpp does not write {name}")
        os.rename(partial, path)
        print(path, os.path.getsize(path))


if __name__ == "__main__":
    main()
