"""One question, or a conversation at the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from adapter.terminal.client import ChatError, Client
from adapter.terminal.conversation import COMMANDS, HELP, Command, Conversation, parse_line
from adapter.terminal.pieces import Finish, Reasoning, Text
from adapter.terminal.screen import Screen

INTERRUPTED = 130  # as a shell says for a program that Ctrl-C ended


class Chat:
    """base_url, key: of the server. ask: gives the next line, raises `EOFError` at the end (`input`).

    Ctrl-C arrives as `KeyboardInterrupt`: `asyncio.Runner` cancels the answer under way and raises it.
    """

    def __init__(
        self, base_url: str, key: str | None, talk: Conversation, screen: Screen, ask: Callable[[str], str]
    ) -> None:
        self._base_url = base_url
        self._key = key
        self._talk = talk
        self._screen = screen
        self._ask = ask

    def once(self, question: str) -> int:
        """Answer one question. Returns the exit status."""
        with asyncio.Runner() as runner:
            try:
                return 0 if self._turn(runner, question) else 1
            except KeyboardInterrupt:
                return INTERRUPTED

    def converse(self) -> int:
        """Until /quit, Ctrl-D, or Ctrl-C twice without a question in between. Returns the exit status."""
        self._screen.note(f"Talking to {self._talk.model} at {self._base_url}; /help for what else there is.")
        interrupted = False
        with asyncio.Runner() as runner:
            while True:
                try:
                    line = parse_line(self._ask("> "))
                    interrupted = False
                    if line == Command("quit", ""):
                        return 0
                    if isinstance(line, Command):
                        self._obey(runner, line)
                    elif line:
                        self._turn(runner, line)
                except EOFError:
                    self._screen.note("")
                    return 0
                except KeyboardInterrupt:
                    if interrupted:
                        self._screen.note("")
                        return INTERRUPTED
                    interrupted = True
                    self._screen.note("\n(stopped; Ctrl-C once more or Ctrl-D ends)")

    def _turn(self, runner: asyncio.Runner, question: str) -> bool:
        """One answer, remembered as far as it came. False if it failed, which has been said then."""
        said: list[str] = []
        messages = self._talk.ask(question)
        try:
            runner.run(self._show(messages, said))
        except ChatError as exc:
            self._screen.end()
            self._screen.note(f"farmhand: {exc}")
            self._talk.answered("".join(said))
            return False
        except BaseException:
            self._screen.end()
            self._talk.answered("".join(said))
            raise
        self._screen.end()
        self._talk.answered("".join(said))
        return True

    async def _show(self, messages: Sequence[dict[str, str]], said: list[str]) -> None:
        """said: gets the pieces as they come, so that an answer that is stopped is known so far."""
        client = Client(self._base_url, self._key)
        pieces = client.answer(self._talk.model, messages)
        try:
            async for piece in pieces:
                match piece:
                    case Text(text):
                        said.append(text)
                        self._screen.text(text)
                    case Reasoning(text):
                        self._screen.reasoning(text)
                    case Finish("length"):
                        self._screen.end()
                        self._screen.note("(the answer reached its greatest length)")
                    case _:
                        pass
        finally:
            await pieces.aclose()
            await client.close()

    def _obey(self, runner: asyncio.Runner, command: Command) -> None:
        note = self._screen.note
        match command:
            case Command("new"):
                self._talk.forget()
                note("(forgotten)")
            case Command("model", ""):
                self._list_models(runner)
            case Command("model", name):
                self._talk.model = name
                note(f"(talking to {name})")
            case Command("system", ""):
                note(self._talk.system or "(no system message)")
            case Command("system", text):
                self._talk.system = "" if text == "-" else text
                note("(noted)")
            case Command("help"):
                note(HELP)
            case Command(name):
                there = ", ".join(f"/{known}" for known in sorted(COMMANDS))
                note(f"There is no /{name}; there are {there}. To say it to the model, write //{name}.")

    def _list_models(self, runner: asyncio.Runner) -> None:
        async def names() -> list[str]:
            client = Client(self._base_url, self._key)
            try:
                return await client.models()
            finally:
                await client.close()

        try:
            found = runner.run(names())
        except ChatError as exc:
            self._screen.note(f"farmhand: {exc}")
            return
        for name in found:
            self._screen.note(f"{'*' if name == self._talk.model else ' '} {name}")
