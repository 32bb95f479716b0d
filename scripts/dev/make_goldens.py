#!/usr/bin/env python3
"""Writes tests/goldens/smollm2_q4_1.json: what llama.cpp says, greedily, on the demo model; or, with the argument `gemma`,
gemma3_q4_k_m.json: the same on Gemma 3 270M, which is no chat model, for the first 16 completions, stable or not.

Run it in the environment that scripts/dev/peers makes: build/peers/bin/python scripts/dev/make_goldens.py [gemma]
Per prompt: its token ids, up to 64 greedy tokens (the end-of-turn token is kept and ends the list), the gap between the two best
logits at every step, and every STRIDE-th logit after the last prompt token (little-endian f16 in base64) for a cosine. `exact_gaps` and
`exact_logits` say the same of exact_model.py: by how much it prefers llama.cpp's token to its own best other one (negative where it does
not), and its logits.

A prompt is `stable` if llama.cpp's own variants (the prompt evaluated token by token, an f32 KV cache, flash attention) and the exact
model give the same tokens: then the text is the model's, and not that of one way to round. On the others llama.cpp differs from itself or
from what the file means. The candidates of golden_prompts.txt are taken in order: all of the first 32, and stable ones until there are
32 of them.
"""
import base64
import json
import os
import sys

import llama_cpp
import numpy as np

from exact_model import ExactModel

HERE = os.path.dirname(os.path.abspath(__file__))
GEMMA = "gemma" in sys.argv[1:]
OUT = os.path.join(HERE, "../../tests/goldens", "gemma3_q4_k_m.json" if GEMMA else "smollm2_q4_1.json")
MODEL = os.path.join(os.path.expanduser("~/.cache/tessera/models"),
                     "gemma-3-270m.Q4_K_M.gguf" if GEMMA else "SmolLM2-135M-Instruct.Q4_1.gguf")
STEPS, STRIDE, PROMPTS = 64, 128 if GEMMA else 24, 16 if GEMMA else 32
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
F32 = 0  # ggml's number of the type


def candidates():
    with open(os.path.join(HERE, "golden_prompts.txt"), encoding="utf-8") as file:
        for line in file.read().splitlines():
            if not line.startswith("#"):
                kind, text = line.split("\t")
                if GEMMA and kind == "chat":
                    continue
                yield kind, "\\".join(part.replace("\\n", "\n") for part in text.split("\\\\"))


def chat(message):
    return f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{message}<|im_end|>\n<|im_start|>assistant\n"


class Variant:
    """One way of llama.cpp to evaluate the model."""

    def __init__(self, one_by_one=False, **options):
        self.one_by_one = one_by_one
        self.llm = llama_cpp.Llama(MODEL, n_ctx=1024, n_threads=1, n_threads_batch=1, verbose=False, **options)

    def logits(self):
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits(self.llm.ctx), (self.llm.n_vocab(),)).copy()

    def greedy(self, prompt):
        """The logits before each greedy token, up to the end of the turn."""
        self.llm.reset()
        for part in [[token] for token in prompt] if self.one_by_one else [prompt]:
            self.llm.eval(part)
        for _ in range(STEPS):
            row = self.logits()
            yield row
            if int(row.argmax()) == self.llm.token_eos():
                return
            self.llm.eval([int(row.argmax())])

    def agrees(self, prompt, tokens):
        return all(int(row.argmax()) == want for row, want in zip(self.greedy(prompt), tokens))


def thinned(row):
    return base64.b64encode(row[::STRIDE].astype("<f2").tobytes()).decode()


def lead(row, token):
    """By how much `token` is ahead of the best other one."""
    return round(float(row[token] - max(row[:token].max(initial=-np.inf), row[token + 1:].max(initial=-np.inf))), 4)


def case(plain, others, exact, kind, text):
    prompt = chat(text) if kind == "chat" else text
    ids = plain.llm.tokenize(prompt.encode(), add_bos=GEMMA, special=True)
    tokens, gaps, sample = [], [], None
    for row in plain.greedy(ids):
        sample = sample or thinned(row)
        tokens.append(int(row.argmax()))
        gaps.append(lead(row, tokens[-1]))
    rows = exact.logits(ids + tokens[:-1], len(ids) - 1)
    exact_gaps = [lead(row, token) for row, token in zip(rows, tokens)]
    stable = min(exact_gaps) > 0 and all(other.agrees(ids, tokens) for other in others)
    return {"chat": text if kind == "chat" else None, "prompt": prompt, "stable": stable, "prompt_tokens": ids, "tokens": tokens,
            "gaps": gaps, "exact_gaps": exact_gaps, "logits": sample, "exact_logits": thinned(rows[0])}


def main():
    plain = Variant()
    others = [Variant(one_by_one=True), Variant(type_k=F32, type_v=F32), Variant(flash_attn=True)]
    exact = ExactModel(MODEL)
    cases = []
    for index, (kind, text) in enumerate(candidates()):
        row = case(plain, others, exact, kind, text)
        if index < PROMPTS or row["stable"]:
            cases.append(row)
        print(f"{index + 1}: {'stable' if row['stable'] else 'differs from itself'}: {text[:60]!r}", file=sys.stderr)
        if index >= PROMPTS - 1 and (GEMMA or sum(row["stable"] for row in cases) >= PROMPTS):
            break
    head = {"made_with": f"llama-cpp-python {llama_cpp.__version__}", "model": os.path.basename(MODEL),
            "steps": STEPS, "logit_stride": STRIDE}
    rows = ",\n".join(json.dumps(row, ensure_ascii=True) for row in cases)
    with open(OUT, "w") as file:
        file.write(json.dumps(head)[:-1] + ', "cases": [\n' + rows + "\n]}\n")
    print(f"{len(cases)} prompts, {sum(row['stable'] for row in cases)} of them stable", file=sys.stderr)


if __name__ == "__main__":
    main()
