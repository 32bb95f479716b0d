"""A llama or gemma3 model in plain NumPy f32 with its weights dequantized: what the file means, with no activation rounded to 8 bits.

Neither llama.cpp nor Tessera computes this (both round activations where weights are quantized); it judges between the two.
"""
import gguf
import numpy as np


class ExactModel:
    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        self.architecture = reader.fields["general.architecture"].contents()
        self.gemma = self.architecture == "gemma3"
        value = lambda key: reader.fields[f"{self.architecture}.{key}"].contents()
        self.weights = {tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type).astype("f4").reshape(
            [int(extent) for extent in reversed(tensor.shape)]) for tensor in reader.tensors}
        self.layers, self.heads, self.kv_heads = value("block_count"), value("attention.head_count"), value("attention.head_count_kv")
        self.base, self.eps = value("rope.freq_base"), value("attention.layer_norm_rms_epsilon")
        self.dim = value("attention.key_length" if self.gemma else "rope.dimension_count")
        self.window = value("attention.sliding_window") if self.gemma else 0

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * self.weights[name]

    def heads_of(self, x, name, count, base):
        """[T, count, dim], rotated by position: llama in interleaved pairs, gemma in halves after a norm of every head."""
        x = (x @ self.weights[name + ".weight"].T).reshape(len(x), count, self.dim)
        if not base:
            return x
        angle = np.arange(len(x))[:, None] * base ** (-np.arange(0, self.dim, 2) / self.dim)
        cos, sin = (f(angle)[:, None, :].astype("f4") for f in (np.cos, np.sin))
        if self.gemma:
            x = self.norm(x, name + "_norm.weight")
            low, high = np.split(x, 2, -1)
            return np.concatenate([low * cos - high * sin, low * sin + high * cos], -1)
        even, odd = x[..., 0::2], x[..., 1::2]
        return np.stack([even * cos - odd * sin, even * sin + odd * cos], -1).reshape(x.shape)

    def attention(self, h, number):
        layer, windowed = f"blk.{number}.", self.window and (number + 1) % 6
        base = 10000 if windowed else self.base
        q, k, v = (self.heads_of(h, f"{layer}attn_{name}", count, base if name != "v" else 0)
                   for name, count in (("q", self.heads), ("k", self.kv_heads), ("v", self.kv_heads)))
        hidden = np.triu(np.full((len(h), len(h)), -np.inf, "f4"), 1)
        if windowed:
            hidden += np.tril(np.full((len(h), len(h)), -np.inf, "f4"), -self.window)
        out = np.empty_like(q)
        for head in range(self.heads):
            group = head * self.kv_heads // self.heads
            score = q[:, head] @ k[:, group].T / np.sqrt(np.float32(self.dim)) + hidden
            p = np.exp(score - score.max(-1, keepdims=True))
            out[:, head] = p / p.sum(-1, keepdims=True) @ v[:, group]
        return out.reshape(len(h), -1) @ self.weights[layer + "attn_output.weight"].T

    def logits(self, tokens, first):
        """f32 [len(tokens) - first, vocab]: the logits after each token from number `first` on."""
        x = self.weights["token_embd.weight"][tokens].copy()
        if self.gemma:
            x *= np.sqrt(np.float32(x.shape[1]))
        for number in range(self.layers):
            layer = f"blk.{number}."
            added = self.attention(self.norm(x, layer + "attn_norm.weight"), number)
            x += self.norm(added, layer + "post_attention_norm.weight") if self.gemma else added
            h = self.norm(x, layer + "ffn_norm.weight")
            gate, up = (h @ self.weights[f"{layer}ffn_{name}.weight"].T for name in ("gate", "up"))
            # The tanh form of GELU is x times a sigmoid too.
            slope = np.sqrt(8 / np.pi).astype("f4") * (1 + np.float32(0.044715) * gate * gate) if self.gemma else np.float32(1)
            added = (gate / (1 + np.exp(-gate * slope)) * up) @ self.weights[layer + "ffn_down.weight"].T
            x += self.norm(added, layer + "post_ffw_norm.weight") if self.gemma else added
        return self.norm(x[first:], "output_norm.weight") @ self.weights["token_embd.weight"].T
