#!/usr/bin/env python3
"""Writes tests/goldens/smollm2_q4_1.json: what llama.cpp says to 32 prompts, greedily, on the demo model.

Run it in the environment that scripts/dev/peers makes: build/peers/bin/python scripts/dev/make_goldens.py
Per prompt: its token ids, up to 64 greedy tokens (the end-of-turn token is kept and ends the list), the gap between the two best
logits at every step, and every 24th logit after the last prompt token (little-endian f16 in base64) for a cosine.
"""
import base64
import json
import os
import sys

import llama_cpp
import numpy as np

MODEL = os.path.expanduser("~/.cache/tessera/models/SmolLM2-135M-Instruct.Q4_1.gguf")
STEPS, STRIDE = 64, 24
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"

RAW = [
    "The capital of France is",
    "Once upon a time, in a small village by the sea,",
    "def fibonacci(n):\n    ",
    "In 1969, humans first",
    "Water boils at",
    "Q: What is 12 + 30?\nA:",
    "#include <stdio.h>\n\nint main() {\n",
    "El perro es un animal",
    "Die Hauptstadt von Deutschland ist",
    "Naïve café owners don't say \"déjà vu\" — they",
    "1, 2, 3, 5, 8, 13,",
    "A",
    "   The quick brown fox   jumps over\n\n\nthe lazy dog. It's   ",
    "東京は日本の",
    "SELECT name, COUNT(*) FROM users WHERE",
    "The theory of evolution by natural selection was first formulated in Charles Darwin's book \"On the Origin of Species\" in "
    "1859. It describes how organisms change over time as a result of changes in heritable physical or behavioral traits. "
    "Changes that allow an organism to better adapt to its environment will help it survive and reproduce more offspring. "
    "Evolution by natural selection is one of the best substantiated theories in the history of science, supported by evidence "
    "from a wide variety of scientific disciplines, including paleontology, geology, genetics and developmental biology. "
    "The main points of the theory are as follows:",
]
CHAT = [
    "What is the capital of Italy?",
    "Write a haiku about the sea.",
    "Explain gravity to a five-year-old in two sentences.",
    "Give me three tips for learning to cook.",
    "Translate 'good morning' into French.",
    "Why is the sky blue?",
    "Write a Python function that reverses a string.",
    "Tell me a short story about a robot who likes gardening.",
    "What is the difference between a list and a tuple in Python?",
    "Name five animals that live in the ocean.",
    "How many days are there in a leap year?",
    "Summarize the plot of Romeo and Juliet.",
    "What should I pack for a hike in the mountains? I'm leaving at 7:30am & it'll be ~5°C.",
    "Is 17 a prime number? Explain step by step.",
    "Write an email to my landlord about a broken heater.",
    "Hi!",
]


def chat(message):
    return (f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{message}<|im_end|>\n"
            "<|im_start|>assistant\n")


def logits(llm):
    pointer = llama_cpp.llama_get_logits(llm.ctx)
    return np.ctypeslib.as_array(pointer, (llm.n_vocab(),)).copy()


def case(llm, message, text):
    tokens = llm.tokenize(text.encode(), add_bos=False, special=True)
    llm.reset()
    llm.eval(tokens)
    first = logits(llm)
    out, gaps, row = [], [], first
    while len(out) < STEPS:
        best = np.sort(row)[-2:]
        out.append(int(np.argmax(row)))
        gaps.append(round(float(best[1] - best[0]), 4))
        if out[-1] == llm.token_eos():
            break
        llm.eval([out[-1]])
        row = logits(llm)
    sample = base64.b64encode(first[::STRIDE].astype("<f2").tobytes()).decode()
    return {"chat": message, "prompt": text, "prompt_tokens": tokens, "tokens": out, "gaps": gaps, "logits": sample}


def main():
    llm = llama_cpp.Llama(MODEL, n_ctx=1024, n_threads=2, n_threads_batch=2, verbose=False)
    cases = [case(llm, None, text) for text in RAW] + [case(llm, message, chat(message)) for message in CHAT]
    head = {"made_with": f"llama-cpp-python {llama_cpp.__version__}", "model": os.path.basename(MODEL),
            "steps": STEPS, "logit_stride": STRIDE}
    path = os.path.join(os.path.dirname(__file__), "../../tests/goldens/smollm2_q4_1.json")
    rows = ",\n".join(json.dumps(row, ensure_ascii=True) for row in cases)
    with open(path, "w") as file:
        file.write(json.dumps(head)[:-1] + ', "cases": [\n' + rows + "\n]}\n")
    print(f"{len(cases)} prompts, {sum(len(row['tokens']) for row in cases)} tokens -> {os.path.relpath(path)}", file=sys.stderr)


if __name__ == "__main__":
    main()
