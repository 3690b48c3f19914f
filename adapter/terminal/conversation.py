"""What was said, and the commands that begin with a slash. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

HELP = """\
/new            forget what was said
/model [NAME]   talk to another model; without NAME: list them
/system [TEXT]  how the model should behave; without TEXT: say it, `-` for none
/help           this
/quit           end (Ctrl-D does it too; Ctrl-C stops an answer)"""

COMMANDS = frozenset({"new", "model", "system", "help", "quit"})


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    argument: str


def parse_line(line: str) -> Command | str:
    """A command, or a text for the model. A line that begins with two slashes is a text that begins with one.

    An unknown command is one too: who is asked decides what to say about it.
    """
    text = line.strip()
    if text.startswith("//"):
        return text[1:]
    if not text.startswith("/"):
        return text
    name, _, argument = text[1:].partition(" ")
    return Command(name.lower(), argument.strip())


@dataclass
class Conversation:
    """Questions and answers so far, in the form of the API."""

    model: str
    system: str = ""
    _turns: list[dict[str, str]] = field(default_factory=list)

    def ask(self, question: str) -> list[dict[str, str]]:
        """The messages to send. Follow with `answered` or `failed`."""
        self._turns.append({"role": "user", "content": question})
        first = [{"role": "system", "content": self.system}] if self.system else []
        return [*first, *self._turns]

    def answered(self, text: str) -> None:
        """Remember the answer, or as much as came; an empty one counts as failed."""
        if text.strip():
            self._turns.append({"role": "assistant", "content": text})
        else:
            self.failed()

    def failed(self) -> None:
        """Forget the last question, so that asking again does not send it twice."""
        self._turns.pop()

    def forget(self) -> None:
        self._turns.clear()
