"""`adapter.queueing.fair`: whose turn it is, and who still finds a place."""

from __future__ import annotations

import random

import pytest

from adapter.caller import Urgency
from adapter.queueing.fair import BACKGROUND_WAITS_S, MOST_ACCOUNTS, TURNS_BETWEEN, Bound, FairLine, Ticket

I, B = Urgency.INTERACTIVE, Urgency.BACKGROUND


def ticket(key: str, urgency: Urgency = I, since_s: float = 0.0, expected_s: float = 10.0) -> Ticket:
    return Ticket(key, urgency, since_s, expected_s)


def filled(line: FairLine, *what: str, urgency: Urgency = I, since_s: float = 0.0) -> list[Ticket]:
    tickets = [ticket(key, urgency, since_s) for key in what]
    for one in tickets:
        line.add(one)
    return tickets


def served(line: FairLine, *, service_s: float = 10.0, now_s: float = 0.0, turns: int | None = None) -> list[str]:
    """The keys in the order of their turns, one served after the other."""
    keys: list[str] = []
    while (turns is None or len(keys) < turns) and (following := line.next(now_s)) is not None:
        keys.append(following.key)
        now_s += service_s
        line.close(following, now_s)
    return keys


@pytest.mark.parametrize(
    ("queued", "expected"),
    [
        ("", ""),
        ("aaa", "aaa"),
        ("aaab", "abaa"),
        ("aaabbb", "ababab"),
        ("aaaabbc", "abcabaa"),
        ("cba", "cba"),
    ],
)
def test_keys_take_turns_and_equals_go_by_arrival(queued: str, expected: str) -> None:
    line = FairLine(20)
    filled(line, *queued)
    assert "".join(served(line)) == expected


def test_one_key_with_fifty_queued_and_another_with_one_the_other_is_next() -> None:
    line = FairLine(100)
    running = ticket("noisy")
    line.seat(running)
    filled(line, *["noisy"] * 50)
    filled(line, "quiet", since_s=5.0)
    line.close(running, 10.0)
    following = line.next(10.0)
    assert following is not None
    assert following.key == "quiet"


def test_seconds_count_and_not_requests() -> None:
    """One answer of 60 s against answers of 10 s: six of those for it."""
    line = FairLine(40)
    filled(line, "long", "long", *["short"] * 12)
    order, now_s = [], 0.0
    while (following := line.next(now_s)) is not None:
        order.append(following.key[0])
        now_s += 60.0 if following.key == "long" else 10.0
        line.close(following, now_s)
    assert "".join(order) == "lsssssslssssss"


def test_idling_earns_nothing() -> None:
    line = FairLine(40)
    now_s = 0.0
    for _ in range(20):  # `a` alone, 200 s; `b` was there before, and left
        filled(line, "a")
        served(line, now_s=now_s)
        now_s += 10.0
    filled(line, *["b"] * 4, *["a"] * 4)
    assert "".join(served(line, now_s=now_s)) == "babababa"


def test_having_been_served_while_nobody_else_was_there_costs_nothing() -> None:
    line = FairLine(40)
    running = ticket("a")
    line.seat(running)
    filled(line, *["a"] * 6)
    line.close(running, 3_600.0)
    second = line.next(3_600.0)
    assert second is not None
    filled(line, *["b"] * 3)
    line.close(second, 3_610.0)
    assert "".join(served(line, now_s=3_610.0)) == "bababaaa"  # an hour ahead is not held against `a`


def test_a_key_that_comes_back_starts_level_although_it_owed_nothing_meanwhile() -> None:
    """`b` left with 10 s on its account while `a` was busy; `a` has had 100 s since. That is no credit for `b`."""
    line = FairLine(40)
    long, short = ticket("a"), ticket("b")
    line.seat(long)
    line.seat(short)
    line.close(short, 10.0)
    filled(line, *["a"] * 5)
    line.close(long, 100.0)
    following = line.next(100.0)
    assert following is not None
    filled(line, *["b"] * 5, since_s=101.0)
    line.close(following, 110.0)
    assert "".join(served(line, now_s=110.0)) == "bababababb"[:9]


def test_what_is_being_served_counts_before_it_is_over() -> None:
    """With two seats `a` has one; both wait; the free one is for `b`, although `a` came first and has had nothing yet."""
    line = FairLine(10)
    line.seat(ticket("a"))
    filled(line, "a", "b")
    following = line.next(0.0)
    assert following is not None
    assert following.key == "b"


def test_a_service_that_takes_longer_than_expected_counts_as_it_goes() -> None:
    line = FairLine(10)
    line.seat(ticket("a", expected_s=1.0))
    line.seat(ticket("b", expected_s=5.0))
    filled(line, "b", "a", since_s=90.0)
    third = ticket("c", since_s=0.0)
    line.seat(third)
    line.close(third, 100.0)  # by now both have had 100 s, whatever was expected: by arrival
    following = line.next(100.0)
    assert following is not None
    assert following.key == "b"


def test_interactive_goes_before_background() -> None:
    line = FairLine(20)
    filled(line, "a", "a", urgency=B)
    filled(line, "a", "b")
    classes = [t.urgency for t in (line.next(0.0), line.next(0.0), line.next(0.0), line.next(0.0)) if t]
    assert classes == [I, I, B, B]


def test_background_that_waited_too_long_gets_every_fourth_turn() -> None:
    line = FairLine(100)
    filled(line, *["bg"] * 3, urgency=B)
    filled(line, *["a"] * 10)
    now_s, order = BACKGROUND_WAITS_S + 1.0, ""
    while (following := line.next(now_s)) is not None:
        order += "b" if following.urgency is B else "i"
        line.close(following, now_s + 1.0)
    assert TURNS_BETWEEN == 3
    assert order == "biiibiiibiiii"


@pytest.mark.parametrize(("waited_s", "first"), [(BACKGROUND_WAITS_S - 1, I), (BACKGROUND_WAITS_S + 1, B)])
def test_the_bound_of_background_waiting(waited_s: float, first: Urgency) -> None:
    line = FairLine(10)
    filled(line, "bg", urgency=B)
    filled(line, "a", since_s=waited_s)
    following = line.next(waited_s)
    assert following is not None
    assert following.urgency is first


@pytest.mark.parametrize(
    ("places", "queued", "asks", "bound"),
    [
        (0, "", ("a", I), Bound.QUEUE),
        (1, "", ("a", I), None),
        (1, "a", ("b", I), Bound.QUEUE),
        (2, "a", ("a", I), None),
        (4, "aaa", ("a", I), Bound.KEY),
        (4, "aaa", ("b", I), None),
        (4, "AAa", ("a", I), Bound.KEY),  # capitals: background; both classes count
        (4, "AB", ("c", B), Bound.BACKGROUND),
        (4, "AB", ("c", I), None),
        (1, "", ("a", B), None),
        (16, "a" * 12, ("a", I), Bound.KEY),
        (16, "a" * 11, ("a", I), None),
        (16, "a" * 12 + "bbbb", ("c", I), Bound.QUEUE),
    ],
)
def test_places(places: int, queued: str, asks: tuple[str, Urgency], bound: Bound | None) -> None:
    line = FairLine(places)
    for letter in queued:
        filled(line, letter.lower(), urgency=B if letter.isupper() else I)
    assert line.bound(*asks) == bound


def test_leaving_costs_nobody_and_is_not_charged() -> None:
    line = FairLine(20)
    tickets = filled(line, "a", "a", "a", "b", "b")
    line.remove(tickets[0])
    line.remove(tickets[3])
    assert len(line) == 3
    assert "".join(served(line)) == "aba"


def test_accounts_do_not_pile_up() -> None:
    line = FairLine(10)
    running = ticket("a")
    line.seat(running)
    for number in range(2_000):
        one = filled(line, f"k{number}")[0]
        if number % 2:
            line.remove(one)
        else:
            following = line.next(float(number))
            assert following is one
            line.close(one, number + 1.0)
    assert len(line._lanes[I].accounts) <= MOST_ACCOUNTS
    line.close(running, 2_000.0)
    assert not line._lanes[I].accounts


def crowd(seed: int) -> FairLine:
    """Some seated, up to 40 waiting; background ones either all overdue at 100 s or none."""
    rng = random.Random(seed)
    line = FairLine(60)
    background_since_s = rng.choice([0.0, 99.0])
    for key in "abc":
        if rng.random() < 0.5:
            line.seat(ticket(key, rng.choice([I, B]), 90.0))
    for _ in range(rng.randrange(40)):
        urgency = B if rng.random() < 0.3 else I
        filled(line, rng.choice("abcd"), urgency=urgency, since_s=background_since_s if urgency is B else 99.0)
    return line


@pytest.mark.parametrize("seed", range(60))
def test_the_predicted_order_is_what_happens(seed: int) -> None:
    line = crowd(seed)
    order = list(line.order(100.0, 10.0))
    assert len(set(order)) == len(line)
    turns = []
    while (following := line.next(100.0)) is not None:  # all at once: who is seated counts as the 10 s expected of them
        turns.append(following)
    assert turns == order


@pytest.mark.parametrize("seed", range(60))
def test_how_many_are_ahead_is_counted_right(seed: int) -> None:
    """`ahead` counts by the scores, for each key once; `order` goes through it step by step."""
    for key, urgency in [("a", I), ("d", I), ("new", I), ("a", B), ("new", B)]:
        line = crowd(seed)
        ahead = line.ahead(key, urgency, 100.0, 10.0)
        newcomer = filled(line, key, urgency=urgency, since_s=100.0)[0]
        order = list(line.order(100.0, 10.0))
        if urgency is I or not line._overdue(100.0):
            assert order.index(newcomer) == ahead
            assert [line.ahead_of(t, 100.0, 10.0) for t in order if t.urgency is I] == [
                place for place, t in enumerate(order) if t.urgency is I
            ]
        else:
            assert order.index(newcomer) <= ahead  # the turns of those who waited too long are not promised to it


@pytest.mark.parametrize("seed", range(5))
def test_every_key_gets_its_share(seed: int) -> None:
    """Four keys that always want more, answers of 1 to 30 s: after an hour nobody is more than two answers behind."""
    rng = random.Random(seed)
    line, had, now_s = FairLine(40), dict.fromkeys("abcd", 0.0), 0.0
    filled(line, *"abcd" * 3)
    while now_s < 3_600.0:
        following = line.next(now_s)
        assert following is not None
        service_s = rng.uniform(1.0, 30.0)
        now_s += service_s
        had[following.key] += service_s
        line.close(following, now_s)
        filled(line, following.key, since_s=now_s)
    assert max(had.values()) - min(had.values()) <= 60.0
