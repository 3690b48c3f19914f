"""`scripts/install` where the embedded engine cannot be built: Termux's llama-server serves in its place."""

from __future__ import annotations

import tomllib

from adapter import configuration
from tests.live.install_phone import VENV, BarePhone, runs, written


def test_termux_llama_server_in_place_of_the_engine(still_phone: BarePhone) -> None:
    """Loud, but no failure; not tried again until asked for; and all of it goes once the engine can be built."""
    before = still_phone.snapshot(without=(*VENV, "bin"))
    said = still_phone.install("--no-start")
    assert "! The embedded engine could not be built. To try again: sh scripts/install" in said
    assert "ninja: build stopped" in said
    service, engine_env = still_phone.places.service("farmhand-engine"), still_phone.places.state / "engine.env"
    assert (service / "down").exists()
    model = still_phone.root / "adapter" / "demo" / "demo.gguf"
    assert engine_env.read_text().endswith(f"ENGINE_MODEL={model}\nENGINE_PORT=8090\n")
    settings = configuration.load({"HOME": str(still_phone.places.user), "FARMHAND_HOME": str(still_phone.places.state)}, config=still_phone.places.config)
    assert [(engine.name, engine.kind) for engine in settings.engine] == [
        ("inferrlm", "inferrlm"),
        ("localllm", "localllm"),
        ("demo", "llama"),
        ("llama-server", "openai"),
    ]
    assert set(written(still_phone)["packages"]) >= {"llama-cpp", "clang", "cmake"}  # type: ignore[call-overload]  # a list
    assert still_phone.builds() == 1
    assert "Nothing to do" in still_phone.install("--no-start")
    assert still_phone.builds() == 1
    (still_phone.tmp / "builds").touch()
    still_phone.stand_in()
    said = still_phone.install("--llama", "--no-start")
    assert "farmhand-engine is not needed any more" in said
    assert not service.exists()
    assert not engine_env.exists()
    assert not still_phone.places.config.exists()
    still_phone.uninstall()
    assert still_phone.snapshot(without=(*VENV, "bin")) == before


def test_llama_server_runs_as_it_was_set(new_phone: BarePhone) -> None:
    """`engine.env` and the service's run script agree; a person's changes to it outlive an upgrade."""
    new_phone.install()
    runs(new_phone)
    new_phone.termux.wait_until(lambda: new_phone.termux.status("farmhand-engine").phase.value == "down", "its runsv is there")
    new_phone.termux.run("sv", "up", "farmhand-engine")
    model = new_phone.root / "adapter" / "demo" / "demo.gguf"
    new_phone.termux.wait_for_log("farmhand-engine", f"serving --model {model} --host 127.0.0.1 --port 8090\n")
    engine_env = new_phone.places.state / "engine.env"
    with engine_env.open("a") as file:
        file.write("ENGINE_THREADS=2\n")
    assert "Nothing to do" in new_phone.install()
    assert engine_env.read_text().endswith("ENGINE_THREADS=2\n")
    new_phone.uninstall()
    kept = new_phone.places.state / "kept" / "home" / ".local" / "share" / "farmhand" / "engine.env"
    assert kept.read_text().endswith("ENGINE_THREADS=2\n")


def test_a_configuration_of_ones_own_is_not_touched(still_phone: BarePhone) -> None:
    """What to add is printed, each time until it is there."""
    config = still_phone.places.config
    config.parent.mkdir(parents=True)
    config.write_text('[[engine]]\nname = "mine"\nkind = "echo"\n')
    said = still_phone.install("--no-start")
    assert f"{config} is yours, so it was not touched" in " ".join(said.split())
    added = said[said.index("  [[engine]]") : said.index("8090/v1") + 8]
    assert tomllib.loads(added)["engine"] == [{"name": "llama-server", "kind": "openai", "url": "http://127.0.0.1:8090/v1"}]
    assert config.read_text() == '[[engine]]\nname = "mine"\nkind = "echo"\n'
    with config.open("a") as file:
        file.write(added)
    assert "not touched" not in still_phone.install("--no-start")
    still_phone.uninstall()
    assert config.exists()


def test_neither_engine_nor_llama_server(still_phone: BarePhone) -> None:
    """Only the apps answer then; the rest is in place, and the next call tries again."""
    (still_phone.tmp / "store" / "llama-cpp").rename(still_phone.tmp / "elsewhere")
    said = still_phone.install("--no-start")
    assert "Nor could Termux's llama-cpp be installed" in said
    assert "Unable to locate package llama-cpp" in said
    assert not still_phone.places.service("farmhand-engine").exists()
    assert still_phone.places.service("farmhand-adapter").exists()
    still_phone.install("--no-start")
    assert still_phone.builds() == 2
