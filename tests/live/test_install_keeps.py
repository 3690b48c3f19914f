"""What is a person's outlives an uninstall: models, configuration, keys, boot scripts and shortcuts of their own."""

from __future__ import annotations

from tests.live.install_phone import VENV, BarePhone


def test_models_and_configuration_stay_unless_purged(still_phone: BarePhone) -> None:
    """What is left is named, with its place."""
    still_phone.install("--no-llama", "--no-start")
    before = still_phone.snapshot(without=VENV)
    model = still_phone.places.state / "models" / "big.gguf"
    model.parent.mkdir()
    model.write_text("gigabytes")
    still_phone.places.config.parent.mkdir(parents=True)
    still_phone.places.config.write_text("[server]\nport = 8889\n")
    said = still_phone.uninstall()
    assert f"{model.parent} (the models)" in said
    assert f"{still_phone.places.config} (your configuration)" in said
    assert sorted(path.name for path in still_phone.places.state.iterdir()) == ["models"]
    assert f"What is yours is still in {still_phone.places.state}" in still_phone.uninstall()
    still_phone.stand_in()
    still_phone.install("--no-llama", "--no-start")
    still_phone.uninstall("--purge")
    assert not still_phone.places.state.exists()
    assert not still_phone.places.config.exists()
    assert before


def test_purge_leaves_a_folder_of_others_alone(still_phone: BarePhone) -> None:
    """FARMHAND_HOME may be a folder with other things in it."""
    (still_phone.places.user / "photo.jpg").write_text("dear")
    still_phone.install("--no-llama", "--no-start", FARMHAND_HOME=str(still_phone.places.user))
    done = still_phone.script("uninstall", "--purge")
    assert done.returncode == 1
    assert "holds your home, so --purge would delete that" in done.stderr
    still_phone.uninstall()
    assert [path.name for path in still_phone.places.user.iterdir()] == ["photo.jpg"]


def test_a_key_from_before_stays(still_phone: BarePhone) -> None:
    """Programs have it already."""
    still_phone.places.state.mkdir(parents=True)
    still_phone.places.key_file.write_text("sk-farm-0123456789abcdef\n")
    still_phone.install("--no-llama", "--no-start")
    still_phone.uninstall()
    assert still_phone.places.key_file.read_text() == "sk-farm-0123456789abcdef\n"


def test_what_else_is_in_the_boot_folder(still_phone: BarePhone) -> None:
    """A folder there makes Termux:Boot skip scripts (`facts/termux.md` 1, row 5)."""
    (still_phone.boot / "backup").mkdir(parents=True)
    (still_phone.boot / "50-mine").write_text(". $PREFIX/etc/profile.d/start-services.sh\n")
    (still_phone.boot / "60-harmless").write_text("echo hello\n")
    said = still_phone.install("--no-llama", "--no-start")
    assert f"! {still_phone.boot}/backup is a folder. Termux:Boot stops at it" in said.replace("\n  ", " ")
    assert f"  Type: mv {still_phone.boot}/backup ~/" in said
    assert f"{still_phone.boot}/50-mine" in said
    assert "60-harmless" not in said
    still_phone.uninstall()
    assert sorted(path.name for path in still_phone.boot.iterdir()) == ["50-mine", "60-harmless", "backup"]


def test_shortcuts_where_they_are_read(still_phone: BarePhone) -> None:
    """For Termux:Widget; its folder goes again unless something else is in it."""
    still_phone.set_apps("com.termux.boot", "com.termux.widget")
    still_phone.install("--no-llama", "--no-start")
    folder = still_phone.places.user / ".shortcuts"
    assert sorted(path.name for path in folder.iterdir()) == ["farmhand-restart", "farmhand-status"]
    (folder / "mine").write_text("x")
    still_phone.uninstall()
    assert [path.name for path in folder.iterdir()] == ["mine"]
