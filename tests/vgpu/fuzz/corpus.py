#!/usr/bin/env python3
"""Seeds for vgpu_fuzz_module: one file a kernel of the test kernels, and a dictionary of their words.

usage: corpus.py KERNELS_FOLDER OUT_FOLDER   (writes OUT_FOLDER/*.ptx and OUT_FOLDER.dict)
"""
import pathlib
import re
import sys

kernels, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)
words = set()
for path in sorted(kernels.glob("*.ptx")):
    text = path.read_text()
    words |= set(re.findall(r"[a-z0-9]+(?:\.[a-z0-9_:]+)+|\.[a-z0-9_]+|%[a-z]+(?:\.[a-z]+)?", text))
    head = text[: re.search(r"^\.(visible|weak|entry|func|extern|global|const)", text, re.M).start()]
    # What stands before the first kernel is shared by all: declarations and variables.
    first = re.search(r"^(\.visible |\.weak )?\.entry", text, re.M)
    shared = text[len(head) : first.start()]
    for number, body in enumerate(re.split(r"(?m)^(?=(?:\.visible |\.weak )?\.entry)", text[first.start() :])):
        if body.strip():
            (out / f"{path.stem}.{number}.ptx").write_text(head + shared + body)
pathlib.Path(f"{out}.dict").write_text("".join(f'"{word}"\n' for word in sorted(words) if len(word) < 60))
