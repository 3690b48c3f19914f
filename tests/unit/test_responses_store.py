"""The store of answers: bounded in room and time, private, and honest about what is gone or damaged."""

from __future__ import annotations

import contextlib
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from adapter.dialects.responses_past import Past, Referred, item_id
from adapter.responses.record import Record, read_record, write_record
from adapter.responses.store import SWEEP_S, NotKept, ResponseStore, TooMuch

DAY_S = 86_400.0
LIMITS = {"max_items": 100, "max_bytes": 1_000_000}


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now_s


def ident(number: int) -> str:
    return f"resp_{number:048x}"


def record(number: int, previous: int | None = None, *, holder: str = "me", text: str = "x", items: tuple[Any, ...] | None = None) -> Record:
    own = items if items is not None else ({"type": "message", "role": "user", "content": f"question {number}"},)
    message = {
        "id": item_id(ident(number), "message", 0),
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
    }
    before = None if previous is None else ident(previous)
    return Record(ident(number), holder, before, own, {"id": ident(number), "object": "response", "output": [message]})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> ResponseStore:
    return make(tmp_path, clock)


def make(folder: Path, clock: Clock, max_bytes: int = 100_000) -> ResponseStore:
    return ResponseStore(folder / "responses", max_bytes=max_bytes, keep_s=30 * DAY_S, wall=clock)


def path_of(folder: Path, number: int) -> Path:
    return folder / "responses" / f"{ident(number)}.json"


def kept(folder: Path) -> list[int]:
    return sorted(int(path.stem.removeprefix("resp_"), 16) for path in (folder / "responses").glob("*.json"))


def save(store: ResponseStore, clock: Clock, *records: Record) -> None:
    """One a second."""
    for one in records:
        clock.now_s += 1
        store.save(one)


def texts(past: Past) -> list[str]:
    return [str(item["content"] if isinstance(item["content"], str) else item["content"][0]["text"]) for item in past.items]


def test_what_is_kept_comes_back(store: ResponseStore, tmp_path: Path) -> None:
    one = record(1, text="Grüße \N{SAILBOAT} \ud83d")
    store.save(one)
    found = store.load(one.id, "me")
    assert found.response["output"][0]["content"][0]["text"] == "Grüße \N{SAILBOAT} ?"  # half a character cannot be written
    assert (found.id, found.holder, found.previous, found.items) == (one.id, "me", None, one.items)


def test_only_its_owner_can_read_the_files(store: ResponseStore, tmp_path: Path) -> None:
    store.save(record(1))
    assert stat.S_IMODE(path_of(tmp_path, 1).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "responses").stat().st_mode) == 0o700
    assert [path.name for path in (tmp_path / "responses").iterdir()] == [f"{ident(1)}.json"]


def test_it_survives_a_restart(store: ResponseStore, tmp_path: Path, clock: Clock) -> None:
    store.save(record(1))
    store.save(record(2, 1))
    again = make(tmp_path, clock)
    assert texts(again.past(Referred(ident(2)), "me", **LIMITS)) == ["question 1", "x", "question 2", "x"]


@pytest.mark.parametrize("word", [ident(2), "resp_1", "../key", ""])
def test_what_is_not_there(store: ResponseStore, word: str) -> None:
    store.save(record(1))
    with pytest.raises(NotKept, match="no such answer of this key"):
        store.load(word, "me")


def test_another_keys_answer_is_as_if_it_were_not_there(store: ResponseStore) -> None:
    store.save(record(1))
    with pytest.raises(NotKept) as other:
        store.load(ident(1), "you")
    with pytest.raises(NotKept) as missing:
        store.load(ident(2), "you")
    assert str(other.value) == str(missing.value)
    with pytest.raises(NotKept):
        store.delete(ident(1), "you")
    with pytest.raises(NotKept):
        store.past(Referred(ident(1)), "you", **LIMITS)
    assert store.past(Referred(None, (ident(1),)), "you", **LIMITS) == Past()
    assert store.load(ident(1), "me").id == ident(1)


def test_a_link_of_another_key_cannot_be_gone_through(store: ResponseStore) -> None:
    store.save(record(1, holder="you"))
    store.save(record(2, 1))
    with pytest.raises(NotKept, match=f"goes on from {ident(1)}, and of that: no such answer"):
        store.past(Referred(ident(2)), "me", **LIMITS)


def test_items_by_their_ids(store: ResponseStore) -> None:
    store.save(record(1, items=({"role": "user", "content": "a"}, {"id": "mine", "role": "user", "content": "b"})))
    known = store.past(Referred(None, (ident(1), ident(9))), "me", **LIMITS).known
    own = item_id(ident(1), "message", 0, of_input=True)
    assert set(known) == {own, "mine", item_id(ident(1), "message", 0)}
    assert known[own] == {"type": "message", "id": own, "role": "user", "content": "a"}


def test_an_item_whose_type_is_null_is_a_message(store: ResponseStore) -> None:
    store.save(record(1, items=({"type": None, "role": "user", "content": "a"},)))
    (item,) = store.input_of(ident(1), "me", **LIMITS)
    assert (item["type"], item["id"]) == ("message", item_id(ident(1), "message", 0, of_input=True))


def test_no_id_of_a_client_stands_for_an_answers_item(store: ResponseStore) -> None:
    answers = item_id(ident(1), "message", 0)
    store.save(record(1, items=({"id": answers, "role": "user", "content": "forged"},)))
    assert store.past(Referred(None, (ident(1),)), "me", **LIMITS).known[answers]["role"] == "assistant"


def test_what_the_model_was_given(store: ResponseStore) -> None:
    store.save(record(1))
    store.save(record(2, 1))
    items = store.input_of(ident(2), "me", **LIMITS)
    assert [item["id"][-6:] for item in items] == ["b00000", "a00000", "b00000"]


def test_a_deleted_answer_breaks_what_went_on_from_it(store: ResponseStore, tmp_path: Path) -> None:
    store.save(record(1))
    store.save(record(2, 1))
    store.delete(ident(1), "me")
    assert kept(tmp_path) == [2]
    assert store.load(ident(2), "me").previous == ident(1)
    with pytest.raises(NotKept, match=f"it goes on from {ident(1)}, and of that: no such answer of this key is kept"):
        store.past(Referred(ident(2)), "me", **LIMITS)


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_the_oldest_make_room(store: ResponseStore, tmp_path: Path, clock: Clock) -> None:
    small = make(tmp_path, clock, max_bytes=10_000)
    save(small, clock, *(record(number, text="x" * 1_000) for number in range(1, 30)))
    left = kept(tmp_path)
    assert left == list(range(left[0], 30)) and 3 <= len(left) <= 9
    assert sum(path.stat().st_size for path in (tmp_path / "responses").iterdir()) <= 10_000


def test_a_conversation_that_goes_on_keeps_its_beginning(tmp_path: Path, clock: Clock) -> None:
    small = make(tmp_path, clock, max_bytes=20_000)
    save(small, clock, record(1, text="x" * 1_000))
    for number in range(2, 60):
        clock.now_s += 1
        small.past(Referred(ident(1)), "me", **LIMITS)
        save(small, clock, record(number, text="x" * 1_000))
    assert 1 in kept(tmp_path) and 2 not in kept(tmp_path)


def test_a_restart_counts_what_is_there(tmp_path: Path, clock: Clock) -> None:
    save(make(tmp_path, clock, max_bytes=1_000_000), clock, *(record(number, text="x" * 1_000) for number in range(1, 30)))
    make(tmp_path, clock, max_bytes=10_000).save(record(40))
    assert sum(path.stat().st_size for path in (tmp_path / "responses").iterdir()) <= 10_000
    assert kept(tmp_path)[-1] == 40


def test_an_answer_larger_than_all_is_not_kept(tmp_path: Path, clock: Clock) -> None:
    small = make(tmp_path, clock, max_bytes=5_000)
    small.save(record(1))
    with pytest.raises(OSError, match=r"responses\.store_mib"):
        small.save(record(2, text="x" * 5_000))
    assert kept(tmp_path) == [1]


def test_what_is_over_its_time_is_gone(store: ResponseStore, tmp_path: Path, clock: Clock) -> None:
    save(store, clock, record(1))
    clock.now_s += 29 * DAY_S
    store.load(ident(1), "me")  # looking at it is no use of it
    clock.now_s += 2 * DAY_S
    with pytest.raises(NotKept, match=r"responses\.keep_days"):
        store.load(ident(1), "me")
    save(store, clock, record(2))
    assert kept(tmp_path) == [2]


def test_using_it_makes_its_time_begin_again(store: ResponseStore, tmp_path: Path, clock: Clock) -> None:
    save(store, clock, record(1), record(2, 1))
    for _ in range(3):
        clock.now_s += 20 * DAY_S
        assert len(store.past(Referred(ident(2)), "me", **LIMITS).items) == 4


def test_what_a_kill_left_half_is_swept_away(store: ResponseStore, tmp_path: Path, clock: Clock) -> None:
    store.save(record(1))
    half = tmp_path / "responses" / f".{ident(2)}.json.new"
    half.write_bytes(b'{"version"')
    clock.now_s += SWEEP_S
    store.save(record(3))
    assert not half.exists() and kept(tmp_path) == [1, 3]


@pytest.mark.parametrize(("limits", "said"), [({"max_items": 3}, r"more than 3 items .*max_messages"), ({"max_bytes": 600}, r"600 bytes .*max_body_bytes")])
def test_a_conversation_that_is_too_long(store: ResponseStore, limits: dict[str, int], said: str) -> None:
    store.save(record(1))
    store.save(record(2, 1))
    with pytest.raises(TooMuch, match=said):
        store.past(Referred(ident(2)), "me", **{**LIMITS, **limits})


def test_items_of_answers_that_are_too_large_together(store: ResponseStore) -> None:
    store.save(record(1))
    store.save(record(2))
    with pytest.raises(TooMuch, match=r"600 bytes .*max_body_bytes"):
        store.past(Referred(None, (ident(1), ident(2))), "me", max_items=100, max_bytes=600)


def test_a_ring_of_links_ends(store: ResponseStore) -> None:
    """Only an edited file could make one."""
    store.save(record(1, 2))
    store.save(record(2, 1))
    with pytest.raises(TooMuch):
        store.past(Referred(ident(2)), "me", **LIMITS)
    store.save(Record(ident(1), "me", ident(1), (), {"output": []}))
    with pytest.raises(TooMuch):
        store.past(Referred(ident(1)), "me", **LIMITS)


# --- trouble ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"version": 2}', b"[" * 100_000,
        b'{"version": 1, "id": "x", "holder": "me", "previous": 3, "items": [], "response": {"output": []}}',
        b'{"version": 1, "id": "x", "holder": "me", "previous": null, "items": ["x"], "response": {"output": []}}',
        b'{"version": 1, "id": "x", "holder": "me", "previous": null, "items": [], "response": {"output": [{}]}}',
    ],
)  # fmt: skip
def test_a_damaged_file_is_said_and_logged(store: ResponseStore, tmp_path: Path, caplog: pytest.LogCaptureFixture, data: bytes) -> None:
    store.save(record(1))
    store.save(record(2, 1))
    path_of(tmp_path, 1).write_bytes(data)
    with pytest.raises(NotKept, match="its file is damaged"):
        store.load(ident(1), "me")
    with pytest.raises(NotKept, match=f"goes on from {ident(1)}, and of that: its file is damaged"):
        store.past(Referred(ident(2)), "me", **LIMITS)
    assert str(path_of(tmp_path, 1)) in caplog.text


def test_a_file_under_another_name_is_not_that_answer(store: ResponseStore, tmp_path: Path) -> None:
    store.save(record(1))
    path_of(tmp_path, 1).rename(path_of(tmp_path, 2))
    with pytest.raises(NotKept):
        store.load(ident(2), "me")


def test_what_json_has_no_word_for(store: ResponseStore) -> None:
    """A client's 1e999, in a field that nobody looks at."""
    with pytest.raises(OSError, match="cannot be written as JSON"):
        store.save(record(1, items=({"role": "user", "content": "x", "odd": float("inf")},)))


def test_a_folder_that_cannot_be_made(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "responses").write_text("a file is in the way")
    with pytest.raises(OSError):
        make(tmp_path, clock).save(record(1))


def test_a_write_that_fails_leaves_nothing_half(store: ResponseStore, tmp_path: Path) -> None:
    store.save(record(1))
    path_of(tmp_path, 2).mkdir()  # nothing can be renamed to it
    with pytest.raises(OSError):
        store.save(record(2))
    assert not list((tmp_path / "responses").glob(".*.new"))
    store.save(record(3))
    assert store.load(ident(3), "me").id == ident(3)


def test_several_threads_at_once(tmp_path: Path, clock: Clock) -> None:
    small = make(tmp_path, clock, max_bytes=30_000)
    failed: list[OSError] = []

    def work(first: int) -> None:
        try:
            for number in range(first, first + 40):
                small.save(record(number, text="x" * 500))
                with contextlib.suppress(NotKept):  # another thread made room
                    small.load(ident(number), "me")
        except OSError as exc:
            failed.append(exc)

    threads = [threading.Thread(target=work, args=(1_000 * index,)) for index in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed
    assert sum(path.stat().st_size for path in (tmp_path / "responses").iterdir()) <= 30_000


def test_a_record_is_the_same_after_the_disk() -> None:
    one = record(5, 4)
    assert read_record(write_record(one)) == one
