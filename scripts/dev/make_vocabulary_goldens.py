#!/usr/bin/env python3
"""Writes tests/model/data/vocabulary_golden.json: the tokens of independent tokenizers for hard strings.

    pip install llama-cpp-python gguf sentencepiece tokenizers; make_vocabulary_goldens.py [gemma-3-270m.Q4_K_M.gguf]

"gguf": tiny SentencePiece vocabularies, trained here, with llama.cpp's tokens. "json": tokenizer.json files of the kinds that the model
families use, trained here, with the tokens of Hugging Face's tokenizers. "gemma": llama.cpp's tokens and pieces on the real vocabulary.
"""
import json
import os
import sys
import tempfile

import gguf
import sentencepiece
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "../../tests/model/data")
sys.path.insert(0, DATA)
from make_tokenizer_golden import TEXTS, Vocabulary, case, random_texts, raw_texts  # noqa: E402

CONTROL, USER, BYTE = 3, 4, 6
SPECIAL = ["<|user|>", "<|end|>", "<|assistant|>", "<|endoftext|>"]
CHATS = ["<|user|>\nHi there <|end|>\n<|assistant|>\n", "<s> a</s>  b", " <|end|> x", "<|end|>\n\n y", "<0x41>", "<unk>", "a▁b ▁c"]
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


def prose():
    """The project's own documents."""
    for folder in (os.path.join(HERE, "../../docs/design"), os.path.join(HERE, "../..")):
        for name in sorted(os.listdir(folder)):
            if name.endswith(".md"):
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    yield from (line for line in file.read().split("\n") if line)


def sentence_piece(folder):
    stem = os.path.join(folder, "tiny")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(prose()), model_prefix=stem, vocab_size=640, model_type="bpe", byte_fallback=True, split_digits=True,
        user_defined_symbols=SPECIAL, normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2)
    model = sentencepiece.SentencePieceProcessor(model_file=stem + ".model")
    tokens, scores, types = [], [], []
    for i in range(model.get_piece_size()):
        tokens.append(model.id_to_piece(i))
        scores.append(model.get_score(i))
        kind = 2 if model.is_unknown(i) else CONTROL if model.is_control(i) else BYTE if model.is_byte(i) else 1
        types.append(CONTROL if tokens[-1] in SPECIAL else kind)
    return {"tokens": tokens, "scores": scores, "types": types}


def write_gguf(path, vocabulary, architecture, prefix):
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([token.encode() for token in vocabulary["tokens"]])
    writer.add_token_scores(vocabulary["scores"])
    writer.add_token_types(vocabulary["types"])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_space_prefix(prefix)
    writer.add_name("Phi-3 tiny" if architecture == "phi3" else "tiny")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def gguf_cases(folder):
    vocabulary = sentence_piece(folder)
    texts = raw_texts("pieces") + [text.encode() for text in CHATS]
    families = []
    for architecture, prefix in (("llama", True), ("gemma3", False), ("phi3", True)):
        path = os.path.join(folder, architecture + ".gguf")
        write_gguf(path, vocabulary, architecture, prefix)
        loaded = Vocabulary(path)
        families.append({"architecture": architecture, "prefix": prefix, "cases": [case(loaded, text) for text in texts],
                         "pieces": [loaded.piece(i).hex() for i in range(len(vocabulary["tokens"]))]})
    return vocabulary, families


def byte_level(pre, **options):
    made = tokenizers.Tokenizer(models.BPE(**options))
    made.pre_tokenizer = pre
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(prose(), trainers.BpeTrainer(
        vocab_size=420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<|bos|>", "<|end|>"], show_progress=False))
    return made


def pieces_json(vocabulary, **parts):
    """A SentencePiece vocabulary as transformers converts it: merges from scores."""
    index = {token: i for i, token in enumerate(vocabulary["tokens"])}
    merges = []
    for token, i in index.items():
        if vocabulary["types"][i] != 1:
            continue
        local = [(token[:k], token[k:], i) for k in range(1, len(token)) if token[:k] in index and token[k:] in index]
        merges += sorted(local, key=lambda x: (index[x[0]], index[x[1]]))
    merges.sort(key=lambda x: (-vocabulary["scores"][x[2]]))
    made = tokenizers.Tokenizer(models.BPE(vocab=index, merges=[(a, b) for a, b, _ in merges], unk_token="<unk>", fuse_unk=True,
                                           byte_fallback=True))
    made.add_special_tokens([tokenizers.AddedToken(t, special=True, normalized=False) for t in ["<unk>", "<s>", "</s>"]])
    made.add_special_tokens([tokenizers.AddedToken(t, special=True, normalized=False, rstrip=True) for t in SPECIAL])
    made.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)])
    for name, part in parts.items():
        setattr(made, name, part)
    return made


def json_cases(vocabulary):
    split = lambda regex: pre_tokenizers.Split(tokenizers.Regex(regex), "isolated")  # noqa: E731
    bytes_only = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    replace = normalizers.Replace(" ", "▁")
    bos = processors.Sequence([processors.ByteLevel(trim_offsets=False),
                               processors.TemplateProcessing(single="<|bos|> $A", special_tokens=[("<|bos|>", 0)])])
    kinds = {
        "gpt2": byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False)),
        "smollm": byte_level(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                      pre_tokenizers.ByteLevel(add_prefix_space=False)])),
        "llama3": byte_level(pre_tokenizers.Sequence([split(LLAMA3), bytes_only]), ignore_merges=True),
        "qwen2": byte_level(pre_tokenizers.Sequence([split(QWEN2), bytes_only])),
        "llama2": pieces_json(vocabulary, normalizer=normalizers.Sequence([normalizers.Prepend("▁"), replace])),
        "mistral": pieces_json(vocabulary, pre_tokenizer=pre_tokenizers.Metaspace("▁", "first", False)),
        "gemma": pieces_json(vocabulary, normalizer=replace, pre_tokenizer=pre_tokenizers.Split(" ", "merged_with_previous")),
    }
    kinds["llama3"].post_processor = bos
    kinds["qwen2"].normalizer = normalizers.NFC()
    # NFC is not ours to do: texts that it would change are left to a sentence of refusal or their own reading.
    texts = TEXTS + random_texts("json", 60) + CHATS
    out = []
    for name, made in kinds.items():
        made.no_padding(), made.no_truncation()
        cases = [{"text": t, "tokens": made.encode(t).ids} for t in texts if "\ud800" > max(t, default="")[:1] or max(t) > "\udfff"]
        if name == "qwen2":
            nfc = normalizers.NFC()
            cases = [item for item in cases if nfc.normalize_str(item["text"]) == item["text"]]
        out.append({"kind": name, "tokenizer": json.loads(made.to_str()), "cases": cases})
    return out


def gemma_cases(path):
    loaded = Vocabulary(path)
    chat = "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n"
    texts = raw_texts("gemma") + [text.encode() for text in CHATS + [chat, "<bos>a<eos>", "\n\n\n  x"]]
    ids = list(range(0, 700)) + list(range(700, 262144, 991))
    return {"model": os.path.basename(path), "cases": [case(loaded, text) for text in texts], "ends": loaded.ends(),
            "pieces": {i: loaded.piece(i).hex() for i in ids}}


def main(gemma=os.path.expanduser("~/.cache/tessera/models/gemma-3-270m.Q4_K_M.gguf")):
    with tempfile.TemporaryDirectory() as folder:
        vocabulary, families = gguf_cases(folder)
    out = {"vocabulary": vocabulary, "gguf": families, "json": json_cases(vocabulary), "gemma": gemma_cases(gemma)}
    with open(os.path.join(DATA, "vocabulary_golden.json"), "w") as file:
        file.write("{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in out.items()) + "\n}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
