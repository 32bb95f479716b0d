"""The demo model in plain NumPy f32 with its weights dequantized: what the file means, with no activation rounded to 8 bits.

Neither llama.cpp nor Tessera computes this (both round activations where weights are quantized); it judges between the two.
"""
import gguf
import numpy as np


class ExactModel:
    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        value = lambda key: reader.fields["llama." + key].contents()
        self.weights = {tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type).astype("f4").reshape(
            [int(extent) for extent in reversed(tensor.shape)]) for tensor in reader.tensors}
        self.layers, self.heads, self.kv_heads = value("block_count"), value("attention.head_count"), value("attention.head_count_kv")
        self.dim, self.base, self.eps = value("rope.dimension_count"), value("rope.freq_base"), value("attention.layer_norm_rms_epsilon")

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * self.weights[name]

    def heads_of(self, x, name, count, rotate=True):
        """[T, count, dim], rotated by position in interleaved pairs."""
        x = (x @ self.weights[name].T).reshape(len(x), count, self.dim)
        if not rotate:
            return x
        angle = np.arange(len(x))[:, None] * self.base ** (-np.arange(0, self.dim, 2) / self.dim)
        cos, sin = (f(angle)[:, None, :].astype("f4") for f in (np.cos, np.sin))
        even, odd = x[..., 0::2], x[..., 1::2]
        return np.stack([even * cos - odd * sin, even * sin + odd * cos], -1).reshape(x.shape)

    def attention(self, h, layer):
        q, k, v = (self.heads_of(h, f"{layer}attn_{name}.weight", count, name != "v")
                   for name, count in (("q", self.heads), ("k", self.kv_heads), ("v", self.kv_heads)))
        hidden = np.triu(np.full((len(h), len(h)), -np.inf, "f4"), 1)
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
        for number in range(self.layers):
            layer = f"blk.{number}."
            x += self.attention(self.norm(x, layer + "attn_norm.weight"), layer)
            h = self.norm(x, layer + "ffn_norm.weight")
            gate, up = (h @ self.weights[f"{layer}ffn_{name}.weight"].T for name in ("gate", "up"))
            x += (gate / (1 + np.exp(-gate)) * up) @ self.weights[layer + "ffn_down.weight"].T
        return self.norm(x[first:], "output_norm.weight") @ self.weights["token_embd.weight"].T
