"""Prints the score; with an argument, also what went wrong."""

from __future__ import annotations

import sys

from tests.unit import emulate_corpus as corpus


def main() -> None:
    known, forms = corpus.box(), corpus.forms()
    rows = corpus.score()
    total = (sum(fine for fine, _ in rows.values()), sum(count for _, count in rows.values()))
    lines = [corpus.table([*rows.items(), ("all", total)])]
    if len(sys.argv) > 1:
        for case in corpus.cases():
            got = corpus.read(case, [case.raw], known)
            if not corpus.right(case, got):
                lines.append(f"{case.category}/{case.id}: {got!r}\n    instead of {case.calls!r} {case.text!r} {case.problem}")
        lines += [
            f"forms/{case.id}: {forms[case.form].read(case.raw)!r}\n    instead of {case.want!r}"
            for case in corpus.form_cases()
            if not corpus.form_right(case, forms[case.form])
        ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
