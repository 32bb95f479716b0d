#!/usr/bin/env python3
"""Writes tests/goldens/formats_smollm2.json: what llama.cpp says of the demo model in every weight format.

Run it after make_formats.py, in the same environment: build/peers/bin/python scripts/dev/make_format_goldens.py
Per format: the perplexity over tests/goldens/text/public_domain.txt (chunks of CONTEXT tokens, each from an empty cache, the second half of
each scored, as llama.cpp's own tool does it), the losses that it is made of (f16 in base64), and of the first chunk the best token after
every position with its lead over the second, and some logits (every STRIDE-th, after every STEP-th token, little-endian f16 in base64).
"""
import base64
import json
import os

import llama_cpp
import numpy as np

from make_formats import FILE_TYPES, SOURCE

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDENS = os.path.join(HERE, "../../tests/goldens")
TEXT = "text/public_domain.txt"
CONTEXT, STRIDE, STEP = 512, 96, 64


def logits_of(llm, tokens):
    llm.reset()
    llm.eval(tokens)
    return np.array(llm.scores[:len(tokens)], dtype=np.float64)


def losses(rows, targets):
    shifted = rows - rows.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(targets)), targets]


def golden(path, text):
    llm = llama_cpp.Llama(path, n_ctx=CONTEXT, n_batch=CONTEXT, logits_all=True, n_threads=1, n_threads_batch=1, verbose=False)
    tokens = llm.tokenize(text, add_bos=False)
    all_losses, first = [], None
    for start in range(0, len(tokens) - CONTEXT + 1, CONTEXT):
        chunk = tokens[start:start + CONTEXT]
        rows = logits_of(llm, chunk)
        first = rows if first is None else first
        all_losses.append(losses(rows[CONTEXT // 2:-1], np.array(chunk[CONTEXT // 2 + 1:])))
    scored = np.concatenate(all_losses)
    best = np.sort(first, axis=1)
    return {"perplexity": round(float(np.exp(scored.mean())), 6), "scored": len(scored),
            "losses": base64.b64encode(scored.astype("<f2").tobytes()).decode(), "top": first.argmax(axis=1).tolist(),
            "leads": [round(float(lead), 3) for lead in best[:, -1] - best[:, -2]],
            "logits": base64.b64encode(first[STEP - 1::STEP, ::STRIDE].astype("<f2").tobytes()).decode()}


def main():
    with open(os.path.join(GOLDENS, TEXT), "rb") as file:
        text = file.read()
    rows = {}
    for name in ["Q4_1", *FILE_TYPES]:
        rows[name] = golden(SOURCE.replace("Q4_1", name), text)
        print(name, rows[name]["perplexity"], flush=True)
    head = {"made_with": f"llama-cpp-python {llama_cpp.__version__}", "model": os.path.basename(SOURCE), "text": TEXT,
            "context": CONTEXT, "logit_stride": STRIDE, "logit_step": STEP}
    body = ",\n".join(f'"{name}": {json.dumps(row)}' for name, row in rows.items())
    with open(os.path.join(GOLDENS, "formats_smollm2.json"), "w") as file:
        file.write(json.dumps(head)[:-1] + ', "formats": {\n' + body + "\n}}\n")


if __name__ == "__main__":
    main()
