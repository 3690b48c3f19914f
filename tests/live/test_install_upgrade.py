"""`scripts/install` over an older installation: what runs goes on, what a person changed is kept, what is obsolete goes."""

from __future__ import annotations

from tests.live.install_phone import BarePhone, enable, runs


def test_only_wanted_services_are_there(new_phone: BarePhone) -> None:
    """Each folder costs two processes: what the configuration does not ask for is not there, and goes when it no longer asks."""
    always = {"farmhand", "farmhand-adapter"}
    for sections, more in (((), set()), (("proxy", "gateway"), {"farmhand-litellm", "farmhand-openclaw"}), (("gateway",), {"farmhand-openclaw"})):
        enable(new_phone, *sections)
        new_phone.install("--no-llama")
        assert {path.name for path in new_phone.places.services.glob("farmhand*")} == always | more


def test_upgrade_in_place(new_phone: BarePhone) -> None:
    """What runs goes on; its files are new, obsolete ones gone, switches as a person left them."""
    shipped = new_phone.root / "termux"
    newer = (shipped / "sv" / "farmhand" / "run").read_text()
    (shipped / "sv" / "farmhand" / "run").write_text(newer + "# an older version\n")
    for old in ("sv/farmhand/helper", "sv/farmhand-adapter/control/t", "boot/01-older"):
        new_phone.termux.write(shipped / old, "#!/data/data/com.termux/files/usr/bin/sh\nexit 0\n")
    enable(new_phone, "proxy")
    new_phone.install("--no-llama")
    pid, folder = runs(new_phone), new_phone.places.service("farmhand")
    status = (folder / "supervise" / "status").stat().st_ino
    assert (folder / "run").read_text().endswith("# an older version\n")
    (new_phone.places.service("farmhand-litellm") / "down").unlink()  # sv-enable
    (shipped / "sv" / "farmhand" / "run").write_text(newer)
    for old in ("sv/farmhand/helper", "sv/farmhand-adapter/control/t", "boot/01-older"):
        (shipped / old).unlink()

    said = new_phone.install("--no-llama")
    assert "What runs is older than this clone. To run the new version: farmhand restart" in " ".join(said.split())
    assert "# an older version" not in (folder / "run").read_text()
    assert new_phone.termux.pid("farmhand") == pid
    assert (folder / "supervise" / "status").stat().st_ino == status
    assert not (new_phone.places.service("farmhand-litellm") / "down").exists()
    assert (new_phone.places.service("farmhand-adapter") / "down").exists()
    assert not (folder / "helper").exists()
    assert not (new_phone.places.service("farmhand-adapter") / "control" / "t").exists()
    assert not (new_phone.boot / "01-older").exists()
    assert "Nothing to do" in new_phone.install("--no-llama")
    new_phone.termux.run("sv", "term", "farmhand")
    new_phone.termux.wait_until(lambda: new_phone.termux.status("farmhand").pid not in (None, pid), "it is another one")
    said = new_phone.install("--no-llama")
    assert said.startswith("Nothing to do: Farmhand is in place and runs.\n")
    assert "LiteLLM is still missing" in said  # which `[proxy]` asks for, and this phone cannot install


def test_an_edited_file_is_kept_aside(new_phone: BarePhone) -> None:
    """An upgrade puts its own in place, but what a person wrote is not lost; nor by an uninstall."""
    new_phone.install("--no-llama")
    runs(new_phone)
    run = new_phone.places.service("farmhand-adapter") / "run"
    run.write_text(run.read_text() + "# mine\n")
    said = new_phone.install("--no-llama")
    kept = new_phone.places.state / "kept" / "var" / "service" / "farmhand-adapter" / "run"
    assert str(kept) in said
    assert kept.read_text().endswith("# mine\n")
    assert "# mine" not in run.read_text()
    run.with_name("control").mkdir()
    run.with_name("control").joinpath("t").write_text("theirs")
    said = new_phone.uninstall()
    assert f"{new_phone.places.state}/kept (files you had changed)" in said
    assert (kept.parent / "control" / "t").read_text() == "theirs"


def test_what_a_person_adds_to_the_environment_of_services_stays(still_phone: BarePhone) -> None:
    """Keys of other programs are handed to the adapter there (`key = "os.environ/NAME"`)."""
    still_phone.install("--no-llama", "--no-start")
    env = still_phone.places.prefix / "etc" / "farmhand" / "env"
    with env.open("a") as file:
        file.write("export OLLAMA_KEY=secret\n")
    still_phone.install("--no-llama", "--no-start", XDG_CONFIG_HOME=str(still_phone.places.user / "cfg"))
    text = env.read_text()
    assert text.count("export OLLAMA_KEY=secret\n") == text.count("FARMHAND_ROOT=") == 1
    assert f"export XDG_CONFIG_HOME='{still_phone.places.user}/cfg'\n" in text


def test_another_python_makes_the_environment_anew(new_phone: BarePhone) -> None:
    """As after `pkg upgrade`: the stamp is another Python's. The bundle is stopped for that time, and started again."""
    new_phone.install("--no-llama")
    pid = runs(new_phone)
    new_phone.stamp(version=(3, 10))
    (new_phone.root / ".venv" / "pyvenv.cfg").write_text(f"version = 3.10.1\ncommand = python -m venv {new_phone.root}/.venv\n")
    done = new_phone.script("install", "--no-llama", PIP_NO_INDEX="1", PIP_CONFIG_FILE="/dev/null")
    assert done.returncode == 1, "without pydantic it must not look as if all were well"
    assert "stopped while .venv is made anew" in done.stdout
    assert "Making .venv with Python" in done.stdout
    new_phone.termux.wait_until(lambda: new_phone.termux.status("farmhand").pid != pid, "it was stopped")
