"""The training loop, and greedy answers from the network for scoring it."""

import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from demo_model.network import Network
from demo_model.samples import Batch, Row, batches, draw_rows
from demo_model.vocabulary import TURN_END_ID, ChatEncoder

ROWS_PER_ROUND = 8000
REPORT_EVERY = 50


@dataclass(frozen=True)
class Plan:
    """How to train. Time is no part of it, so that the same plan and seed give the same weights."""

    steps: int
    seed: int
    peak_rate: float = 2e-3
    warmup_steps: int = 150
    long_share: float = 0.003
    weight_decay: float = 0.05


@dataclass
class Tally:
    """What a training run came to."""

    tokens: int = 0
    seconds: float = 0.0
    loss: float = math.nan


def train(network: Network, encoder: ChatEncoder, plan: Plan) -> Tally:
    """Train `network` in place and print how it goes."""
    optimizer = _optimizer(network, plan)
    tally = Tally()
    started = time.monotonic()
    recent: list[float] = []
    for step, batch in enumerate(_batch_stream(encoder, plan, network.shape.context)):
        if step == plan.steps:
            break
        for group in optimizer.param_groups:
            group["lr"] = rate(step, plan)
        recent.append(_step(network, optimizer, batch))
        tally.tokens += len(batch.ids) * len(batch.ids[0])
        if step % REPORT_EVERY == REPORT_EVERY - 1:
            tally.seconds, tally.loss = time.monotonic() - started, sum(recent) / len(recent)
            recent.clear()
            print(_progress(step + 1, plan, tally), flush=True)
    tally.seconds = time.monotonic() - started
    return tally


def rate(step: int, plan: Plan) -> float:
    """The learning rate of a step: a short linear rise, then half a cosine down to a hundredth of the peak."""
    if step < plan.warmup_steps:
        return plan.peak_rate * (step + 1) / plan.warmup_steps
    done = (step - plan.warmup_steps) / max(1, plan.steps - plan.warmup_steps)
    return plan.peak_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def answer(network: Network, encoder: ChatEncoder, prompt: list[int], limit: int = 96) -> str:
    """The greedy answer to a prompt of token ids, cut after `limit` tokens; a cut one ends in "[cut]"."""
    ids = list(prompt)
    with torch.inference_mode():
        for _ in range(limit):
            best = int(network(torch.tensor([ids]))[0, -1].argmax())
            if best == TURN_END_ID:
                return str(encoder.tokenizer.decode(ids[len(prompt) :]))
            ids.append(best)
    return str(encoder.tokenizer.decode(ids[len(prompt) :])) + "[cut]"


def _batch_stream(encoder: ChatEncoder, plan: Plan, context: int) -> Iterator[Batch]:
    rng = random.Random(plan.seed)
    while True:
        rows: list[Row] = list(draw_rows(encoder, rng, ROWS_PER_ROUND, plan.long_share, context))
        yield from batches(rows, rng)


def _optimizer(network: Network, plan: Plan) -> torch.optim.Optimizer:
    matrices = [weight for weight in network.parameters() if weight.ndim > 1]
    norms = [weight for weight in network.parameters() if weight.ndim == 1]
    groups = [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": norms, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=plan.peak_rate, betas=(0.9, 0.98), fused=True)


def _step(network: Network, optimizer: torch.optim.Optimizer, batch: Batch) -> float:
    # bfloat16 makes the products a third faster on a CPU that has it; weights and sums stay float32.
    with torch.autocast("cpu", torch.bfloat16):
        loss = network.loss(torch.tensor(batch.ids), torch.tensor(batch.taught))
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(loss.item())


def _progress(step: int, plan: Plan, tally: Tally) -> str:
    speed = tally.tokens / tally.seconds
    left_s = tally.seconds / step * (plan.steps - step)
    return (
        f"step {step}/{plan.steps}  loss {tally.loss:.4f}  {tally.tokens / 1e6:.2f} M tokens  "
        f"{speed:.0f} tokens/s  {tally.seconds / 60:.1f} min, {left_s / 60:.1f} min left"
    )
