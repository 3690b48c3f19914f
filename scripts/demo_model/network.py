"""The network: a small Llama, written out so that llama.cpp computes exactly the same.

RMSNorm before each half, rotary positions on neighbouring pairs (what llama.cpp calls the "norm" order, so the
export needs no permutation), SwiGLU, no biases, and an output layer that is the embedding again.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Shape:
    """The sizes of the network. `width` and `hidden` must divide by 32, the block size of Q8_0."""

    vocab: int = 2048
    width: int = 256
    layers: int = 4
    heads: int = 4
    hidden: int = 640
    context: int = 2048
    rope_base: float = 10_000.0
    norm_eps: float = 1e-5

    @property
    def head_width(self) -> int:
        """How many numbers one attention head sees."""
        return self.width // self.heads


def rotary_table(shape: Shape) -> Tensor:
    """Angles for every position and pair: float32[context, head_width / 2, 2], cosine and sine last."""
    pairs = torch.arange(0, shape.head_width, 2, dtype=torch.float32) / shape.head_width
    angles = torch.outer(torch.arange(shape.context, dtype=torch.float32), shape.rope_base**-pairs)
    return torch.stack((angles.cos(), angles.sin()), dim=-1)


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Turn each neighbouring pair of x[batch, heads, time, head_width] by its position's angle."""
    even, odd = x.reshape(*x.shape[:-1], -1, 2).unbind(-1)
    cosine, sine = table[: x.shape[2]].to(x.dtype).unbind(-1)
    return torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), dim=-1).flatten(-2)


class Block(nn.Module):
    """One layer: attention, then the gated feed-forward half, each added to the stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.attn_norm = nn.RMSNorm(shape.width, eps=shape.norm_eps)
        self.attn_q = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_k = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_v = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_output = nn.Linear(shape.width, shape.width, bias=False)
        self.ffn_norm = nn.RMSNorm(shape.width, eps=shape.norm_eps)
        self.ffn_gate = nn.Linear(shape.width, shape.hidden, bias=False)
        self.ffn_up = nn.Linear(shape.width, shape.hidden, bias=False)
        self.ffn_down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor, table: Tensor) -> Tensor:
        """x[batch, time, width] in and out."""
        x = x + self.attend(self.attn_norm(x), table)
        return x + self.feed(self.ffn_norm(x))

    def attend(self, x: Tensor, table: Tensor) -> Tensor:
        """Causal self-attention over x[batch, time, width]."""

        def heads(y: Tensor) -> Tensor:
            return y.reshape(*y.shape[:-1], self.heads, -1).transpose(1, 2)

        query, key = rotate(heads(self.attn_q(x)), table), rotate(heads(self.attn_k(x)), table)
        seen = functional.scaled_dot_product_attention(query, key, heads(self.attn_v(x)), is_causal=True)
        mixed: Tensor = self.attn_output(seen.transpose(1, 2).flatten(-2))
        return mixed

    def feed(self, x: Tensor) -> Tensor:
        """The SwiGLU half over x[batch, time, width]."""
        fed: Tensor = self.ffn_down(functional.silu(self.ffn_gate(x)) * self.ffn_up(x))
        return fed


class Network(nn.Module):
    """Token ids in, a score for every next token out."""

    table: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocab, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = nn.RMSNorm(shape.width, eps=shape.norm_eps)
        self.register_buffer("table", rotary_table(shape), persistent=False)
        self.apply(self.initialise)

    def initialise(self, module: nn.Module) -> None:
        """Small normal weights; what a block adds starts smaller, so that depth does not blow the stream up."""
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, Block):
            scale = (2 * self.shape.layers) ** -0.5
            nn.init.normal_(module.attn_output.weight, std=0.02 * scale)
            nn.init.normal_(module.ffn_down.weight, std=0.02 * scale)

    def hidden(self, tokens: Tensor) -> Tensor:
        """The last hidden state, float[batch, time, width], for int64 tokens[batch, time]."""
        x = self.token_embd(tokens)
        for block in self.blocks:
            x = block(x, self.table)
        normed: Tensor = self.output_norm(x)
        return normed

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores float[batch, time, vocab] for int64 tokens[batch, time], at most `context` of them."""
        return functional.linear(self.hidden(tokens), self.token_embd.weight)

    def loss(self, tokens: Tensor, taught: Tensor) -> Tensor:
        """Mean cross entropy over the tokens that `taught` (bool[batch, time]) marks; only those are scored."""
        places = taught[:, 1:].flatten().nonzero().squeeze(1)
        # Padded to few different lengths, because the CPU's matrix library compiles for each new one.
        padding = -len(places) % 512
        states = self.hidden(tokens)[:, :-1].flatten(0, 1)[functional.pad(places, (0, padding))]
        wanted = functional.pad(tokens[:, 1:].flatten()[places], (0, padding), value=-1)
        scores = functional.linear(states, self.token_embd.weight)
        return functional.cross_entropy(scores.float(), wanted, ignore_index=-1)
