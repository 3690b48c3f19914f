"""Train the bundled demo model and write `adapter/demo/demo.gguf` with a README beside it.

Everything it learns from is generated here, from the tables in `demo_model/`. The same seed, steps
and threads on the same machine give the same weights. Needs torch, gguf and tokenizers; a CPU is enough.

    python scripts/train_demo_model.py                 the whole run
    python scripts/train_demo_model.py --quick         a few minutes, to see the pipeline work
"""

import argparse
import random
import sys
import time
from pathlib import Path

import torch

from demo_model.dev_questions import DEV_QUESTIONS, LATER_QUESTIONS, Pairs
from demo_model.export import round_to_q8_0, write_gguf
from demo_model.network import Network, Shape
from demo_model.report import Report, render_readme
from demo_model.samples import tokenizer_texts
from demo_model.score import misses
from demo_model.training import Plan, answer, train
from demo_model.vocabulary import ChatEncoder, train_tokenizer

STEPS = 3400
QUICK_STEPS = 250
TRIAL_STEPS = 12
TOKENIZER_TEXTS = 40_000
DEFAULT_OUT = Path(__file__).resolve().parent.parent / "adapter" / "demo" / "demo.gguf"


def main() -> int:
    """Train, export, score, report. Returns the exit status."""
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    shape = Shape()
    encoder = ChatEncoder(
        train_tokenizer(tokenizer_texts(random.Random(arguments.seed), TOKENIZER_TEXTS), shape.vocab)
    )
    steps = chosen_steps(arguments, shape, encoder)
    torch.manual_seed(arguments.seed)
    network = Network(shape)
    print(f"{count_parameters(network):,} parameters, {steps} steps, seed {arguments.seed}", flush=True)
    tally = train(network, encoder, Plan(steps=steps, seed=arguments.seed))
    write_gguf(arguments.out, network, encoder.tokenizer)
    round_to_q8_0(network)
    right = (
        f"{score(network, encoder, DEV_QUESTIONS)}, {score(network, encoder, LATER_QUESTIONS)} of a later set"
    )
    report = Report(shape, count_parameters(network), steps, arguments.seed, arguments.threads, tally, right)
    (arguments.out.parent / "README.md").write_text(render_readme(report, arguments.out), encoding="utf-8")
    print(f"{arguments.out}: {arguments.out.stat().st_size:,} bytes; development questions right: {right}")
    return 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, help=f"how many steps to train (default: {STEPS})")
    length.add_argument("--minutes", type=float, help="as many steps as fit; not repeatable from run to run")
    length.add_argument("--quick", action="store_true", help=f"{QUICK_STEPS} steps, to see it work")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="the GGUF file to write")
    return parser.parse_args()


def chosen_steps(arguments: argparse.Namespace, shape: Shape, encoder: ChatEncoder) -> int:
    """How many steps to train; for --minutes a few are timed first, on a network that is thrown away."""
    if arguments.quick:
        return QUICK_STEPS
    if arguments.minutes is None:
        return arguments.steps or STEPS
    started = time.monotonic()
    train(Network(shape), encoder, Plan(steps=TRIAL_STEPS, seed=arguments.seed))
    return max(1, int(arguments.minutes * 60 / (time.monotonic() - started) * TRIAL_STEPS))


def count_parameters(network: Network) -> int:
    """All weights; the embedding counts once, though it is the output layer too."""
    return sum(weight.numel() for weight in network.parameters())


def score(network: Network, encoder: ChatEncoder, pairs: Pairs) -> str:
    """Ask the questions of `pairs`, print the wrong answers, and say how many are right."""
    found = misses(pairs, lambda question: answer(network, encoder, encoder.prompt([("user", question)])))
    for miss in found:
        print(f"  {miss.fact}: {miss.question!r} -> {miss.answer!r}")
    return f"{len(pairs) - len(found)} of {len(pairs)}"


if __name__ == "__main__":
    sys.exit(main())
