#!/usr/bin/env python3
"""Writes tokenizer_golden.json: llama.cpp's tokens for hard strings, and its end-of-generation tokens.

    pip install llama-cpp-python; build/bin/tessera make-model -o tiny.gguf
    make_tokenizer_golden.py SmolLM2-135M-Instruct.Q4_1.gguf tiny.gguf tokenizer_golden.json

Other pre-tokenizers are run on the same vocabulary: the file's header is rewritten with another tokenizer.ggml.pre. The family
"tiny" is make-model's own vocabulary as it is.
"""
import ctypes
import json
import os
import random
import struct
import sys
import tempfile

import llama_cpp

PRES = ["smollm", "gpt-2", "default", "llama-bpe", "smaug-bpe", "qwen2"]

TEXTS = [
    "", "a", " ", "  ", "   ", "\n", "\n\n", "\t", " \n", "\n ", "\r\n", "\r\n\r\n x", " \t \n \t x",
    "Hello world", "Hello, world!", " Hello", "Hello ", "Hello  world", "Hello   world   ", "   leading",
    "I'm you're he's we'll they'd I've don't", "I'M YOU'RE HE'S WE'LL THEY'D I'VE DON'T", "'s 't're 'x ''s",
    "’s ’t curly", "0", "12", "123", "1234", "12345", "123456789", "3.14159", "1,000,000", "1 2  3   4", "a1b22c333",
    "x=1;  y=22 ;z = 333", "2024-01-31T23:59:59Z", "+1 (555) 010-9999", "1e-10 0xFF 0b1010", "½ ² ³ Ⅷ ٣٤ ४५ 一二三",
    "café naïve Ångström Zürich", "cafe\u0301 nai\u0308ve", "Příliš žluťoučký kůň", "Ελληνικά κείμενο", "Русский текст",
    "日本語のテキスト", "中文 文本，标点。", "한국어 텍스트", "ภาษาไทย", "हिन्दी पाठ", "العربية نص", "עברית",
    "😀", "😀😃😄", "👨‍👩‍👧‍👦 family", "🇩🇪🇫🇷", "👍🏽", "a😀b", " 😀 ", "☃ ☂ ♥ ∑ ∫ √ ≠", "„quotes“ «guillemets» — dash – …",
    "\u00a0nbsp\u00a0\u00a0x", "\u2003em\u2003space", "\u3000ideographic\u3000", "zero\u200bwidth\u200djoiner", "\ufeffbom",
    "a\u0085b", "a\u2028b\u2029c", "a\u180eb \u180e c", "a\x0bb\x0cc", "a\x00b", "\x01\x02\x04\x06\x7f", "a\x1db\x1e \x1f",
    "def f(x):\n    return x ** 2  # square\n", "for (int i = 0; i < n; ++i) {\n\t\ta[i] += b[i];\n}\n",
    "if a:\n        pass\n\n\n\nelse:\n\tpass", "SELECT * FROM t WHERE a<>'b' AND c>=10;", "<html><body class=\"x\">&nbsp;</body></html>",
    "https://example.com/a?b=c&d=%20e#f", "user@example.org", "C:\\path\\to\\file.txt", "~/.config/x-y_z.json",
    "{\"key\": [1, 2.5, null, true], \"k\\n\": \"v\"}", "$x^2 + y_1 = \\frac{a}{b}$", "a|b||c&&d!e~f`g", "!!!???...;;;:::",
    "--- *** ___ ### ===", "snake_case camelCase PascalCase SCREAMING_CASE kebab-case", "A.B.C. e.g. i.e.",
    "<|im_start|>user\nHi<|im_end|>\n", "<|im_start|>", "<|im_end|><|im_end|>", "<|endoftext|>x", " <|im_end|> ", "<|im_end|",
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "<|im_start|>user\nWhat is gravity?<|im_end|>\n<|im_start|>assistant\n",
    "<repo_name>a<file_sep>b<jupyter_start>", "<|im_<|im_end|>start|>", "text<|im_end|>more  <|im_start|>\n\n",
    "The quick brown fox jumps over the lazy dog.", "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", " " * 100, " " * 100 + "x", "\n" * 50, "\t" * 33 + "y",
    "ab" * 200, "1" * 100, "é" * 40, "😀" * 20, "-" * 80, "=" * 81 + "\n", "\u0000" * 5, "x\u0300" * 20,
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛 𐍈 𓀀", "\U000F0000 private \ue000", "ǅ ǈ ﬁ ß ẞ İ ı", "ﷺ ㍿ ㎏ ①②③", "\u0378 unassigned \U000e0001", "ªº ʰ ٪ ۝",
]

BYTES = [
    b"\xff", b"\xc3", b"\xc3(", b"a\x80b", b"\xe2\x82", b"\xe2(\xa1", b"\xf0\x9f\x98", b"\xf0\x9f\x98 x", b"\xed\xa0\x80", b"\xed\xa0\x80 \xed\xbf\xbf",
    b"\xc0\x80", b"\xe0\x80\x80", b"\xf8\x88\x80\x80\x80", b"ok \xfe\xff end", b"\x80\x80\x80", b"caf\xe9 latin1", b"\xf4\x8f\xbf\xbf",
    b" \xff \xff", b"1\xff2", b"\xf0\x82\x82\xac",
]


def random_texts(seed, count):
    r = random.Random(seed)
    alphabets = [
        "abcdefghijklmnopqrstuvwxyz    ", "0123456789.,  ", " \n\t\r", "éüñçøßæ ", "日本語中文한국", "😀🎉👍🏽\u200d",
        "'\"!?.,:;-_/\\()[]{}<>|&^%$#@~`+=*", "'stremlvd ", "ABCXYZ ", "αβγδж щ", "\u00a0\u2003\u3000\u0085\u180e", "²½Ⅷ٣",
    ]
    return ["".join(r.choice(r.choice(alphabets)) for _ in range(r.randint(1, 40))) for _ in range(count)]


def raw_texts(seed):
    return [t.encode("utf-8", "surrogatepass") for t in TEXTS + random_texts(seed, 60)] + BYTES


def rewrite_pre(path, pre, out):
    """A copy of the metadata alone (no tensors) with another tokenizer.ggml.pre."""
    data = open(path, "rb").read(4 << 20)
    sizes = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
    at = 24
    entries = []

    def skip(kind):
        nonlocal at
        if kind == 8:
            at += 8 + struct.unpack_from("<Q", data, at)[0]
        elif kind == 9:
            element, count = struct.unpack_from("<IQ", data, at)
            at += 12
            for _ in range(count):
                skip(element)
        else:
            at += sizes[kind]

    for _ in range(struct.unpack_from("<Q", data, 16)[0]):
        start = at
        n = struct.unpack_from("<Q", data, at)[0]
        key = data[at + 8:at + 8 + n].decode()
        at += 8 + n
        kind = struct.unpack_from("<I", data, at)[0]
        at += 4
        skip(kind)
        entry = data[start:at]
        if key == "tokenizer.ggml.pre":
            entry = data[start:start + 8 + n + 4] + struct.pack("<Q", len(pre)) + pre.encode()
        if key != "tokenizer.ggml.add_bos_token":
            entries.append(entry)
    with open(out, "wb") as f:
        f.write(b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries)) + b"".join(entries))


class Vocabulary:
    def __init__(self, path):
        parameters = llama_cpp.llama_model_default_params()
        parameters.vocab_only = True
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), parameters)
        assert self.model, path
        self.vocab = llama_cpp.llama_model_get_vocab(self.model)

    def tokens(self, text, special):
        room = len(text) + 16
        buffer = (llama_cpp.llama_token * room)()
        n = llama_cpp.llama_tokenize(self.vocab, text, len(text), buffer, room, True, special)
        assert n >= 0
        return list(buffer[:n])

    def ends(self):
        return [i for i in range(llama_cpp.llama_vocab_n_tokens(self.vocab)) if llama_cpp.llama_vocab_is_eog(self.vocab, i)]

    def piece(self, token):
        buffer = ctypes.create_string_buffer(512)
        n = llama_cpp.llama_token_to_piece(self.vocab, token, buffer, 512, 0, False)
        return buffer.raw[:n]


def case(vocabulary, raw):
    out = {"tokens": vocabulary.tokens(raw, True)}
    plain = vocabulary.tokens(raw, False)
    if plain != out["tokens"]:
        out["plain"] = plain
    try:
        return {"text": raw.decode(), **out}
    except UnicodeDecodeError:
        return {"hex": raw.hex(), **out}


def main(model, tiny, target):
    vocabulary = Vocabulary(tiny)
    families = [{"pre": "tiny", "cases": [case(vocabulary, raw) for raw in raw_texts("tiny")]}]
    for pre in PRES:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "vocab.gguf")
            rewrite_pre(model, pre, path)
            vocabulary = Vocabulary(path)
            family = {"pre": pre, "cases": [case(vocabulary, raw) for raw in raw_texts(pre)]}
            if pre == "smollm":
                family["ends"] = vocabulary.ends()
                family["pieces"] = {i: vocabulary.piece(i).hex() for i in list(range(0, 300)) + list(range(300, 49152, 97))}
            families.append(family)
    with open(target, "w") as f:
        f.write(json.dumps({"made_by": "llama-cpp-python " + llama_cpp.__version__, "model": os.path.basename(model)})[:-1])
        f.write(', "families": [\n')
        for i, family in enumerate(families):
            head = {k: v for k, v in family.items() if k != "cases"}
            f.write((",\n" if i else "") + json.dumps(head)[:-1] + ', "cases": [\n')
            f.write(",\n".join(json.dumps(c) for c in family["cases"]) + "\n]}")
        f.write("\n]}\n")


if __name__ == "__main__":
    main(*sys.argv[1:4])
