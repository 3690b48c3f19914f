"""What the registry believes of an engine that says little: no passing condition may look as if a model did not exist."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from adapter.engines.base import Health, ModelCard
from adapter.engines.registry import Registry
from adapter.errors import ModelNotFound
from tests.fakes.scripted_engine import ScriptedEngine


class Flickering(ScriptedEngine):
    """Lists nothing the first `blind` times, as an app's engine does while the app does not answer."""

    def __init__(self, blind: int) -> None:
        super().__init__("app")
        self.blind = blind

    async def models(self) -> Sequence[ModelCard]:
        self.blind -= 1
        return () if self.blind >= 0 else self.cards


async def test_an_app_that_is_back_between_two_questions_has_its_models() -> None:
    """It lists nothing, and is well when it is asked why. Seen on a busy machine as a 404 for a model that was there."""
    registry = Registry([Flickering(1)], {})
    targets = await registry.targets("app/m")
    assert [(target.engine, target.model) for target in targets] == [("app", "m")]


async def test_an_app_that_is_well_and_has_nothing_has_nothing() -> None:
    with pytest.raises(ModelNotFound):
        await Registry([Flickering(9)], {}).targets("app/m")


async def test_an_app_that_is_not_well_is_asked_once() -> None:
    engine = Flickering(9)
    engine.health_now = Health(ready=False, detail="It is closed.")
    (listing,) = await Registry([engine], {}).listings()
    assert (listing.trouble, engine.blind) == ("It is closed.", 8)
