#!/usr/bin/env python3
"""Writes tests/goldens/formats_smollm2.json: what llama.cpp says of the demo model in every weight format.

Run it after make_formats.py, in the same environment: build/peers/bin/python scripts/dev/make_format_goldens.py
Per format: the perplexity over tests/goldens/text/public_domain.txt (chunks of CONTEXT tokens, each from an empty cache, the second half of
each scored, as llama.cpp's own tool does it), the losses that it is made of (f16 in base64), those of exact_model.py over the first
EXACT_CHUNKS chunks, and of the first chunk the best token after every position with its lead over the second.
"""
import base64
import json
import os

import llama_cpp
import numpy as np

from exact_model import ExactModel
from make_formats import FILE_TYPES, SOURCE

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDENS = os.path.join(HERE, "../../tests/goldens")
TEXT = "text/public_domain.txt"
CONTEXT, EXACT_CHUNKS = 512, 4


def logits_of(llm, tokens):
    llm.reset()
    llm.eval(tokens)
    return np.array(llm.scores[:len(tokens)], dtype=np.float64)


def losses(rows, targets):
    shifted = rows - rows.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(targets)), targets]


def scored_losses(rows, chunk):
    return losses(rows[CONTEXT // 2:-1].astype("f8"), np.array(chunk[CONTEXT // 2 + 1:]))


def packed(chunks):
    return base64.b64encode(np.concatenate(chunks).astype("<f2").tobytes()).decode()


def golden(path, text):
    llm = llama_cpp.Llama(path, n_ctx=CONTEXT, n_batch=CONTEXT, logits_all=True, n_threads=1, n_threads_batch=1, verbose=False)
    tokens = llm.tokenize(text, add_bos=False)
    exact = ExactModel(path)
    theirs, exacts, first = [], [], None
    for start in range(0, len(tokens) - CONTEXT + 1, CONTEXT):
        chunk = tokens[start:start + CONTEXT]
        rows = logits_of(llm, chunk)
        first = rows if first is None else first
        theirs.append(scored_losses(rows, chunk))
        if len(exacts) < EXACT_CHUNKS:
            exacts.append(scored_losses(exact.logits(chunk, 0), chunk))
    best = np.sort(first, axis=1)
    return {"losses": packed(theirs), "exact_losses": packed(exacts), "top": first.argmax(axis=1).tolist(),
            "leads": [round(float(lead), 3) for lead in best[:, -1] - best[:, -2]]}


def main():
    with open(os.path.join(GOLDENS, TEXT), "rb") as file:
        text = file.read()
    rows = {}
    for name in ["Q4_1", *FILE_TYPES]:
        rows[name] = golden(SOURCE.replace("Q4_1", name), text)
        print(name, flush=True)
    head = {"made_with": f"llama-cpp-python {llama_cpp.__version__}", "model": os.path.basename(SOURCE), "text": TEXT,
            "context": CONTEXT}
    body = ",\n".join(f'"{name}": {json.dumps(row)}' for name, row in rows.items())
    with open(os.path.join(GOLDENS, "formats_smollm2.json"), "w") as file:
        file.write(json.dumps(head)[:-1] + ', "formats": {\n' + body + "\n}}\n")


if __name__ == "__main__":
    main()
