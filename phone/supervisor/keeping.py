"""Everything that is kept up besides the services: how hard the engines work, the wake lock, the notification. For one event loop."""

from __future__ import annotations

from collections.abc import Callable

from phone.settings import PhoneSettings
from phone.supervisor.admin_words import Order, is_busy
from phone.supervisor.decide import Decision, Report
from phone.supervisor.gateway import adapter_url
from phone.supervisor.governor import GovernorMemory, Hold, Ruling, govern
from phone.supervisor.lock import LockMemory, LockView, lock_trouble
from phone.supervisor.news import News
from phone.supervisor.notices import Notices
from phone.supervisor.notification import View
from phone.supervisor.observe import Glance
from phone.supervisor.parts import Parts
from phone.supervisor.pressing import FOR_S, SERVE, Pressing
from phone.supervisor.types import Observation, Service
from phone.supervisor.wake import Wake

# A wake lock that hangs must not keep the services down (`facts/termux.md` 5.1).
FIRST_LOCK_S = 5.0
LAST_LOCK_S = 12.0
HIDE_S = 10.0


class Keeping:
    def __init__(
        self,
        parts: Parts,
        lock: LockMemory,
        governor: GovernorMemory,
        say: Callable[[str, bool], None],
        poke: Callable[[], None],
    ) -> None:
        """lock, governor: as the supervisor before left them."""
        anchor = parts.places.prefix / "libexec" / "farmhand" / "anchor"
        self._parts = parts
        self.governor = governor
        self.wake = Wake(parts.termux, anchor, lock, say, poke, parts.now_s)
        self.notices = Notices(parts.termux, parts.places, parts.now_s)
        self._pressing = Pressing(parts.now_s)

    async def begin(self, settings: PhoneSettings) -> None:
        """The wake lock comes first: without it the rest may be stopped in the middle (`facts/termux.md` 4.1). Its failure stops nothing."""
        self.wake.look(LockView(self._parts.now_s()), settings.wakelock)
        await self.wake.settle(FIRST_LOCK_S)

    def rule(self, at: Glance, seen: Observation, settings: PhoneSettings) -> Ruling:
        """How hard the engines may work now."""
        hold = None
        if at.hold is not None:
            until_s = at.hold.until_wall_s
            hold = Hold(None if until_s is None else seen.now_s + until_s - self._parts.wall_s(), at.hold.why)
        speeds = seen.adapter.speeds if seen.adapter else ()
        self.governor, ruling = govern(
            self.governor, seen.device, speeds, settings.governor, seen.now_s, hold, busy=is_busy(seen.adapter)
        )
        return ruling

    def look(
        self, at: Glance, seen: Observation, decision: Decision, ruling: Ruling, news: News, settings: PhoneSettings
    ) -> None:
        """Begin what is due. The notification goes away when it is no longer wanted."""
        adapter, battery = seen.adapter, seen.device.battery
        charging = battery.charging if battery else None
        idle_s = adapter.idle_s if adapter else None
        self.wake.look(LockView(seen.now_s, idle_s, is_busy(adapter), charging, at.anchored), settings.wakelock)
        for_s = None if ruling.level == SERVE else FOR_S
        order = Order(ruling.level, ruling.reason, float(ruling.retry_after_s) or None, for_s)
        self._pressing.look(order, news.admin, adapter, news.known_at_s)
        if settings.notification.enabled:
            self.notices.show(self._view(at, seen, decision, ruling, settings))
        else:
            self.notices.hide()

    def stopping(self, settings: PhoneSettings) -> None:
        """The person who asked for it sees that it is being done."""
        if settings.notification.enabled:
            self.notices.show(View(state="stopping"))

    async def end(self, settings: PhoneSettings) -> None:
        """Of an orderly stop. The adapter is told nothing: it has ended."""
        self._pressing.close()
        self.notices.hide()
        await self.wake.stop(settings.wakelock, LAST_LOCK_S)
        await self.notices.settle(HIDE_S)

    def leave(self) -> None:
        """Everything stays as it is, for a successor."""
        self._pressing.close()

    def _view(self, at: Glance, seen: Observation, decision: Decision, ruling: Ruling, settings: PhoneSettings) -> View:
        shown = {service: decision.reports[service] for service in decision.reports if service in seen.enabled}
        speeds = [speed.tokens_s for speed in seen.adapter.speeds] if seen.adapter else []
        battery = seen.device.battery
        return View(
            state=_state(shown.get(Service.ADAPTER, Report("missing")).state),
            services=tuple((service.value, report.state) for service, report in shown.items()),
            tokens_s=max(speeds, default=None),
            temperature_c=battery.temperature_c if battery else None,
            level=ruling.level,
            reason=ruling.reason,
            held=at.hold is not None,
            lock=lock_trouble(self.wake.memory),
            gave_up=tuple(service.value for service, report in shown.items() if report.gave_up),
            url=adapter_url(settings),
        )


def _state(adapter: str) -> str:
    """The adapter is what people use; of the others those that are late are named below it."""
    match adapter:
        case "ready":
            return "up"
        case "waiting":
            return "starting"
        case _:
            return adapter
