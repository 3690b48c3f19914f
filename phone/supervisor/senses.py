"""What runs beside the looks and feeds them: probes, the phone's state, the adapter's news. For one event loop."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from phone.device import Device
from phone.settings import PhoneSettings
from phone.supervisor.devices import Devices, battery_max_age_s
from phone.supervisor.gateway import REACHED_AT
from phone.supervisor.news import Address, News
from phone.supervisor.observe import Glance
from phone.supervisor.parts import Parts
from phone.supervisor.probes import CALM_S, STEADY_S, Probes
from phone.supervisor.types import Goal, Observation, Phase, Runit, Seen, Service


class Senses:
    def __init__(self, parts: Parts, settings: Callable[[], PhoneSettings], poke: Callable[[], None]) -> None:
        """settings: those of now. poke: called when there is something new."""
        self._settings = settings
        self._adapter_ready: bool | None = None
        self.probes = Probes(lambda service, limit_s: parts.probe(service, settings(), limit_s), poke, parts.now_s)
        self.devices = Devices(parts.device, poke, parts.now_s)
        self.news = News(parts.places.key_file, poke, parts.now_s)

    def begin(self, at: Glance, seen: Observation, goal: Goal, calm_s: float) -> None:
        """Ask whoever is to be asked again. While all is ended, nobody is."""
        self.news.follow(self._adapter(at) if goal is Goal.UP else None)
        if goal is not Goal.UP:
            return
        running = [
            (service, look.pid)
            for service, look in at.runits.items()
            if service in at.enabled and look.phase is Phase.RUN and look.pid is not None
        ]
        is_calm = calm_s >= CALM_S
        self.probes.begin(running, CALM_S if is_calm else STEADY_S)
        battery = seen.device.battery
        self.devices.refresh(battery_max_age_s(calm_s, battery.charging if battery else None))

    def observation(
        self, at: Glance, device: Device, ending: Collection[Service], failures: Mapping[Service, str], now_s: float
    ) -> Observation:
        """ending: those for which an order to end was under way when the look began: nobody else wants them up, even if runit has not heard of it
        yet. failures: orders that did not work; said with the service while it is not ready."""
        services = {}
        for service, look in at.runits.items():
            ready, words = self.probes.answer(service, look.pid)
            if service in failures and not ready:
                words = failures[service]
            if service in ending:
                look = replace(look, wants_up=False)
            services[service] = Seen(look, ready, words, at.exits.get(service, ()), at.last_lines.get(service, ""))
        adapter_ready = services[Service.ADAPTER].ready
        if adapter_ready and not self._adapter_ready:
            self.news.ask_again()
        self._adapter_ready = adapter_ready
        return Observation(now_s, services, at.enabled, device, self.news.state())

    def close(self) -> None:
        """Within a moment: whoever waits for the network is cut off, whoever waits for a command is left to it."""
        self.news.close()
        self.probes.close()
        self.devices.close()

    def _adapter(self, at: Glance) -> Address | None:
        look = at.runits.get(Service.ADAPTER, Runit())
        server = self._settings().server
        if look.phase is not Phase.RUN or not server.port:
            return None
        host = "::1" if server.host == "::" else REACHED_AT.get(server.host, server.host)
        return Address(host, server.port, look.pid)
