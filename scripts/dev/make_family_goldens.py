#!/usr/bin/env python3
"""Writes tests/goldens/families.json: what Hugging Face's transformers compute, in float32 on PyTorch's CPU, for tiny random models of
every family. Needs torch, transformers and numpy; nothing that builds, tests or runs Tessera does.

Per model: its config.json, its tensors (name, shape, spread, the name that GGUF gives them), the GGUF metadata, prompt tokens, every
STRIDE-th logit after each of them (little-endian f32 in base64) and the greedy continuation. The weights themselves are a formula
(`weights` below), which the test evaluates too, so that no weight is checked in. Names and metadata of GGUF follow llama.cpp's converter.
"""
import base64
import json
import math
import os

import numpy as np
import torch
import transformers

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/goldens/families.json")
VOCAB, TOKENS, GREEDY, STRIDE = 320, 40, 12, 5
COMMON = dict(vocab_size=VOCAB, hidden_size=64, intermediate_size=96, num_attention_heads=4, num_key_value_heads=2,
              max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=0, torch_dtype="float32")
LLAMA3 = dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
YARN = dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32)
GEMMA = dict(COMMON, head_dim=24, sliding_window=9, query_pre_attn_scalar=24, hidden_activation="gelu_pytorch_tanh")
LONG = dict(type="longrope", short_factor=[1.0, 1.1, 1.3, 1.6, 2.0, 2.5], long_factor=[1.0, 1.5, 2.2, 3.1, 4.5, 6.0])
PHI = dict(COMMON, num_key_value_heads=4, hidden_size=48, tie_word_embeddings=False)


def phi(context, **more):
    return transformers.Phi3Config(**{**PHI, "max_position_embeddings": context}, original_max_position_embeddings=32,
                                   rope_scaling=dict(LONG), num_hidden_layers=2, **more)


def models():
    yield "llama", transformers.LlamaConfig(**COMMON, num_hidden_layers=2, tie_word_embeddings=False, rope_theta=20000.0), {}
    yield "llama_tied", transformers.LlamaConfig(**COMMON, num_hidden_layers=2, tie_word_embeddings=True, head_dim=24), {}
    yield "llama3_rope", transformers.LlamaConfig(**COMMON, num_hidden_layers=2, rope_scaling=dict(LLAMA3), rope_theta=500000.0), {}
    yield "llama_yarn", transformers.LlamaConfig(**COMMON, num_hidden_layers=2, rope_scaling=dict(YARN)), {
        "rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 32}
    yield "llama_linear", transformers.LlamaConfig(**COMMON, num_hidden_layers=2, rope_scaling=dict(rope_type="linear", factor=4.0)), {
        "rope.scaling.type": "linear", "rope.scaling.factor": 4.0}
    yield "mistral", transformers.MistralConfig(**COMMON, num_hidden_layers=2, sliding_window=9, head_dim=16), {
        "attention.sliding_window": 9}
    yield "qwen2", transformers.Qwen2Config(**COMMON, num_hidden_layers=2, tie_word_embeddings=True), {}
    yield "qwen3", transformers.Qwen3Config(**COMMON, num_hidden_layers=2, head_dim=24), {}
    yield "gemma2", transformers.Gemma2Config(**GEMMA, num_hidden_layers=3, attn_logit_softcapping=2.0, final_logit_softcapping=3.0), {
        "attention.sliding_window": 9, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}
    yield "gemma3", transformers.Gemma3TextConfig(**GEMMA, num_hidden_layers=7), {
        "attention.sliding_window": 9, "rope.freq_base": 1000000.0}
    yield "phi3_short", phi(32), {}
    yield "phi3_long", phi(128, sliding_window=20), {"attention.sliding_window": 20}


def weights(name, shape, spread):
    """SplitMix64 of FNV-1a(name) + index: uniform in [-spread, spread), 24 bits, exact in float32; norms are around 1 or 0 by `spread`."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15) * (np.arange(math.prod(shape), dtype=np.uint64) + np.uint64(1))
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        z = z ^ z >> np.uint64(31)
    unit = ((z >> np.uint64(40)).astype(np.float64) / 2**23 - 1).astype(np.float32)
    return (unit * np.float32(spread)).reshape(shape)


def filled(name, shape, one_plus):
    """The tensor's values and what makes them: spread and centre."""
    if name.endswith("norm.weight"):
        spread, centre = 0.25, 0.0 if one_plus else 1.0
    elif name.endswith("bias"):
        spread, centre = 0.5, 0.0
    elif "embed_tokens" in name:
        spread, centre = 0.125 if one_plus else 1.0, 0.0 # Gemma multiplies by 8
    else:
        spread, centre = 2.0 ** round(math.log2(3 / math.sqrt(shape[-1]))), 0.0
    return weights(name, shape, spread) + np.float32(centre), spread, centre


def gguf_name(name, family):
    """llama.cpp's name of a tensor."""
    gemma = family.startswith("gemma")
    parts = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}
    if name in parts:
        return parts[name]
    _, _, layer, rest = name.split(".", 3)
    inner = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
             "self_attn.o_proj": "attn_output", "self_attn.qkv_proj": "attn_qkv", "self_attn.q_norm": "attn_q_norm",
             "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
             "mlp.gate_up_proj": "ffn_up", "post_attention_layernorm": "post_attention_norm" if gemma else "ffn_norm",
             "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm"}
    stem, suffix = rest.rsplit(".", 1)
    return f"blk.{layer}.{inner[stem]}.{suffix}"


def rope_freqs(config):
    """The divisors that llama.cpp's converter writes for Llama 3.1's scaling."""
    dim, base = config.hidden_size // config.num_attention_heads, 500000.0
    frequencies = base ** (-np.arange(0, dim, 2) / dim)
    low, high = 32 / 1.0, 32 / 4.0
    divisors = []
    for frequency in frequencies:
        wave = 2 * math.pi / frequency
        smooth = (32 / wave - 1) / (4 - 1)
        divisors.append(1.0 if wave < high else 4.0 if wave > low else 1 / ((1 - smooth) / 4 + smooth))
    return [float(np.float32(x)) for x in divisors]


def metadata(config, family, more):
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    data = {"block_count": config.num_hidden_layers, "context_length": config.max_position_embeddings,
            "embedding_length": config.hidden_size, "feed_forward_length": config.intermediate_size,
            "attention.head_count": config.num_attention_heads, "attention.head_count_kv": config.num_key_value_heads,
            "attention.key_length": head_dim, "attention.value_length": head_dim, "rope.dimension_count": head_dim,
            "attention.layer_norm_rms_epsilon": config.rms_norm_eps}
    if getattr(config, "rope_theta", None):
        data["rope.freq_base"] = float(config.rope_theta)
    return {**data, **more}


def packed(array):
    return base64.b64encode(np.ascontiguousarray(array, dtype="<f4").tobytes()).decode()


def case(name, config, more):
    family = {"mistral": "llama", "gemma3_text": "gemma3"}.get(config.model_type, config.model_type)
    torch.manual_seed(0)
    config._attn_implementation = "eager"
    model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    tied = bool(config.tie_word_embeddings)
    tensors, one_plus = [], config.model_type.startswith("gemma")
    with torch.no_grad():
        for key, parameter in model.state_dict().items():
            if key == "lm_head.weight" and tied:
                continue
            values, spread, centre = filled(key, tuple(parameter.shape), one_plus)
            parameter.copy_(torch.from_numpy(values))
            tensors.append({"name": key, "gguf": gguf_name(key, family), "shape": list(parameter.shape), "spread": spread,
                            "centre": centre})
        prompt = [(i * 7919 + 13) % VOCAB for i in range(TOKENS)]
        if name == "phi3_short":
            prompt = prompt[:20]
        logits = model(torch.tensor([prompt])).logits[0].numpy()
        greedy = list(prompt)
        for _ in range(GREEDY):
            greedy.append(int(model(torch.tensor([greedy])).logits[0, -1].argmax()))
    text = json.loads(config.to_json_string(use_diff=False))
    extra = {}
    if config.model_type == "phi3":
        extra = {"rope_factors_long.weight": LONG["long_factor"], "rope_factors_short.weight": LONG["short_factor"]}
        factor = config.max_position_embeddings / 32
        more = {**more, "rope.scaling.original_context_length": 32,
                "rope.scaling.attn_factor": math.sqrt(1 + math.log(factor) / math.log(32)) if factor > 1 else 1.0}
    if name == "llama3_rope":
        extra = {"rope_freqs.weight": rope_freqs(config)}
        more = {**more, "rope.freq_base": 500000.0}
    if name == "llama":
        more = {**more, "rope.freq_base": 20000.0}
    return {"name": name, "architecture": family, "config": text, "metadata": metadata(config, family, more), "tensors": tensors,
            "factors": extra, "permuted": family == "llama", "prompt": prompt, "greedy": greedy[len(prompt):],
            "logits": packed(logits[:, ::STRIDE])}


def main():
    head = {"made_with": f"transformers {transformers.__version__}, torch {torch.__version__.split('+')[0]}", "stride": STRIDE}
    rows = [json.dumps(case(*row)) for row in models()]
    with open(OUT, "w", encoding="utf-8") as file:
        file.write(json.dumps(head)[:-1] + ', "models": [\n' + ",\n".join(rows) + "\n]}\n")


if __name__ == "__main__":
    main()
