"""The service of the LiteLLM proxy: what it hands to it, and when it refuses. A stand-in plays LiteLLM; the real one: `test_chain_litellm.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.runit_cases import wait_for_ends
from tests.live.termux_prefix import TermuxPrefix

NAME = "farmhand-litellm"
CONFIG = "model_list: []\ngeneral_settings:\n  master_key: os.environ/LITELLM_MASTER_KEY\n"
# What could go wrong if the file were executed: it would make the file `executed`.
ENV = """# made by farmhand connect
NEURAL_FARM_BASE_URL=http://127.0.0.1:8888/v1
NEURAL_FARM_API_KEY='sk-with $HOME and `touch {folder}/executed`'
  export LITELLM_MASTER_KEY="sk-master"
LITELLM_LOCAL_MODEL_COST_MAP=True # as it is
MATH=a=b=c
EMPTY=
EVIL=$(touch {folder}/executed)
touch {folder}/executed
9LIVES=no
not-a-name=no
LAST=without a line's end"""


def proxy(phone: TermuxPrefix, says: str) -> None:
    """Plays LiteLLM."""
    phone.write(phone.places.root / ".cache" / "litellm" / "bin" / "litellm", f"#!@PREFIX@/bin/sh\n{says}\nexec sleep 1000\n")


def put(phone: TermuxPrefix, name: str, text: str) -> Path:
    return phone.write(phone.places.state / "litellm" / name, text, 0o600)


def test_it_has_what_env_local_says(runit_phone: TermuxPrefix) -> None:
    """Value by value, none of them executed; one worker, on the loopback address, at the port of the configuration."""
    runit_phone.places.config.write_text("[proxy]\nport = 4123\n")
    proxy(runit_phone, 'echo "args $*"; env | sort | grep -v "^_="; echo end')
    config = put(runit_phone, "config.yaml", CONFIG)
    put(runit_phone, "env.local", ENV.format(folder=runit_phone.places.user))
    runit_phone.start_daemon()
    assert runit_phone.runsv.up(NAME).ok
    runit_phone.wait_for_log(NAME, "LAST=without a line's end\n")
    runit_phone.wait_for_log(NAME, "end\n")
    log = runit_phone.log(NAME)
    user = runit_phone.places.user
    for line in (
        f"args --config {config} --host 127.0.0.1 --num_workers 1 --port 4123",
        "NEURAL_FARM_BASE_URL=http://127.0.0.1:8888/v1",
        f"NEURAL_FARM_API_KEY=sk-with $HOME and `touch {user}/executed`",
        "LITELLM_MASTER_KEY=sk-master",
        "LITELLM_LOCAL_MODEL_COST_MAP=True",
        "MATH=a=b=c",
        "EMPTY=",
        f"EVIL=$(touch {user}/executed)",
    ):
        assert f"{line}\n" in log
    assert "9LIVES" not in log and "not-a-name" not in log
    assert not (user / "executed").exists()


@pytest.mark.parametrize(
    ("config", "env", "said"),
    [
        (None, None, "litellm/config.yaml is missing. Type: farmhand connect litellm --write\n"),
        (CONFIG, None, "litellm/env.local lacks LITELLM_MASTER_KEY, the key of its clients. Type: farmhand connect litellm --write\n"),
        (CONFIG, "LITELLM_MASTER_KEY=\n", "litellm/env.local lacks LITELLM_MASTER_KEY, the key of its clients. Type: farmhand connect litellm --write\n"),
    ],
)
def test_it_refuses_with_a_sentence(runit_phone: TermuxPrefix, config: str | None, env: str | None, said: str) -> None:
    """And with the code for what a restart cannot mend. Without a master key LiteLLM would answer any app on the phone."""
    proxy(runit_phone, "echo began")
    for name, text in (("config.yaml", config), ("env.local", env)):
        if text is not None:
            put(runit_phone, name, text)
    runit_phone.start_daemon()
    assert runit_phone.runsv.up(NAME).ok
    assert wait_for_ends(runit_phone, NAME, 1)[0].code == 78
    assert runit_phone.runsv.down(NAME, 5).ok
    runit_phone.wait_for_log(NAME, said)
    assert "began" not in runit_phone.log(NAME)
