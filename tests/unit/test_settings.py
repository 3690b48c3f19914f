"""File, environment and flags -> one frozen object; what is wrong is named, with its place, and never shows a key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapter.configuration import SettingsError, config_path, home_path, load
from adapter.settings import EchoSettings, InferrlmSettings, LlamaSettings, Settings, is_loopback

ECHO = '[[engine]]\nname = "e"\nkind = "echo"\n'


def loaded(folder: Path, text: str = "", env: dict[str, str] | None = None, **server: Any) -> Settings:
    file = folder / "config.toml"
    file.write_text(text)
    return load({"FARMHAND_HOME": str(folder), **(env or {})}, config=file, server=server)


def refused(folder: Path, text: str = "", env: dict[str, str] | None = None, **server: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        loaded(folder, text, env, **server)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- what applies ---------------------------------------------------------------------------------------------


def test_without_a_file_the_defaults_apply(tmp_path: Path) -> None:
    settings = load({"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "FARMHAND_HOME": str(tmp_path)})
    assert (settings.server.host, settings.server.port, settings.auth.required) == ("127.0.0.1", 8888, True)
    assert [(engine.name, engine.kind) for engine in settings.engine] == [
        ("inferrlm", "inferrlm"),
        ("localllm", "localllm"),
        ("demo", "llama"),
    ]


def test_the_file_applies(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        '[server]\nport = 1\nkeepalive_s = 2\n[auth]\nkeys = ["k-12345678"]\n[log]\nlevel = "debug"\n' + ECHO
        + '[[model]]\nname = "m"\nroute = ["e/echo"]\n',
    )  # fmt: skip
    assert (settings.server.port, settings.server.keepalive_s, settings.log.level) == (1, 2.0, "debug")
    assert settings.auth.keys == ("k-12345678",)
    assert isinstance(settings.engine[0], EchoSettings) and settings.model[0].route == ("e/echo",)


def test_the_environment_wins_over_the_file_and_flags_over_both(tmp_path: Path) -> None:
    text = "[server]\nport = 1\nkeepalive_s = 1\nbody_s = 1\n"
    env = {"FARMHAND_SERVER_PORT": "2", "FARMHAND_SERVER_KEEPALIVE_S": "2.5"}
    server = loaded(tmp_path, text, env, port=3).server
    assert (server.port, server.keepalive_s, server.body_s) == (3, 2.5, 1.0)


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("FARMHAND_SERVER_HOST", "::1", "::1"),
        ("FARMHAND_SERVER_HOST", "[::1]", "::1"),
        ("FARMHAND_SERVER_HOST", '"10.0.0.1"', "10.0.0.1"),
        ("FARMHAND_SERVER_MAX_BODY_BYTES", "2_048", 2_048),
        ("FARMHAND_SERVER_ALLOWED_HOSTS", '["phone.local"]', ("phone.local",)),
        ("FARMHAND_SERVER_CORS_ORIGINS", '["http://localhost:3000"]', ("http://localhost:3000",)),
        ("FARMHAND_AUTH_REQUIRED", "false", False),
        ("FARMHAND_AUTH_KEYS", '["k-12345678"]', ("k-12345678",)),
        ("FARMHAND_LOG_LEVEL", "error", "error"),
    ],
)
def test_variables_are_toml_values_or_plain_text(
    tmp_path: Path, variable: str, text: str, value: object
) -> None:
    section, _, key = variable.removeprefix("FARMHAND_").lower().partition("_")
    assert getattr(getattr(loaded(tmp_path, "", {variable: text}), section), key) == value


def test_an_engine_is_set_by_its_name(tmp_path: Path) -> None:
    """Also one of the default ones, and one with signs in its name that no variable can have."""
    by_default = loaded(tmp_path, "", {"FARMHAND_ENGINE_DEMO_SLOTS": "2"}).engine[2]
    assert isinstance(by_default, LlamaSettings) and by_default.slots == 2
    named = loaded(
        tmp_path,
        '[[engine]]\nname = "my-phone.2"\nkind = "inferrlm"\n',
        {"FARMHAND_ENGINE_MY_PHONE_2_URL": "http://10.0.0.9:1/"},
    ).engine[0]
    assert isinstance(named, InferrlmSettings) and named.url == "http://10.0.0.9:1"


def test_the_longest_engine_name_is_meant(tmp_path: Path) -> None:
    both = ECHO.replace('"e"', '"a"') + ECHO.replace('"e"', '"a-b"')
    engines = loaded(
        tmp_path, both, {"FARMHAND_ENGINE_A_B_QUEUE": "3", "FARMHAND_ENGINE_A_QUEUE": "4"}
    ).engine
    assert [engine.queue for engine in engines] == [4, 3]


def test_a_model_is_set_by_its_name(tmp_path: Path) -> None:
    text = ECHO + '[[model]]\nname = "m"\nroute = ["e/a"]\n'
    assert loaded(tmp_path, text, {"FARMHAND_MODEL_M_ROUTE": '["e/b"]'}).model[0].route == ("e/b",)


def test_places() -> None:
    assert config_path({"HOME": "/h", "XDG_CONFIG_HOME": "/c"}) == Path("/c/farmhand/config.toml")
    assert home_path({"XDG_DATA_HOME": "/d"}) == Path("/d/farmhand")
    assert config_path({"FARMHAND_CONFIG": "/x/y.toml"}) == Path("/x/y.toml")
    assert home_path({"FARMHAND_HOME": "/x"}) == Path("/x")


def test_an_empty_variable_names_no_file(tmp_path: Path) -> None:
    assert load({"FARMHAND_CONFIG": "", "XDG_CONFIG_HOME": str(tmp_path), "FARMHAND_HOME": str(tmp_path)})


def test_settings_are_frozen(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        loaded(tmp_path).server.port = 1


# --- what is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = ", "not valid TOML"),
        ("[server]\nport = 1\nport = 2", "not valid TOML"),
        ("server = 5", "write it as [server]"),
        ("[[server]]", "write it as [server]"),
        ("[engine]\nname = 'a'", "write each as [[engine]]"),
        ("model = ['a']", "write each as [[model]]"),
        ("sever = 5", "unknown key 'sever'"),
        ("home = '/x'", "FARMHAND_HOME"),
        ("[server]\nprot = 5", "unknown key 'server.prot'"),
        ("[auth]\nkey = 'k-12345678'", "unknown key 'auth.key'"),
        (ECHO + "slots = 2", "unknown key 'engine.0.echo.slots'"),
        ("[server]\nport = 65536", "server.port"),
        ("[server]\nport = 'http'", "server.port"),
        ("[server]\nhost = ''", "server.host"),
        ("[server]\nkeepalive_s = 0", "server.keepalive_s"),
        ("[server]\nkeepalive_s = nan", "server.keepalive_s"),
        ("[server]\nbody_s = inf", "server.body_s"),
        ("[server]\nallowed_hosts = 'a'", "must be a list"),
        ("[server]\nallowed_hosts = ['a.b:80']", "host name only"),
        ("[server]\nallowed_hosts = ['*']", "host name only"),
        ("[server]\nallowed_hosts = ['']", "host name only"),
        ("[server]\ncors_origins = ['*']", "http://localhost:3000"),
        ("[server]\ncors_origins = ['http://a/']", "final '/'"),
        ("[server]\ncors_origins = ['localhost:3000']", "http://localhost:3000"),
        ("[auth]\nkeys = ['short']", "auth.keys.0"),
        ("[auth]\nkeys = ['with a space']", "auth.keys.0"),
        ("[log]\nlevel = 'loud'", "log.level"),
        ("[[engine]]\nname = 'a'", "'kind' must be one of inferrlm, localllm, openai, llama, echo"),
        ("[[engine]]\nname = 'a'\nkind = 'opnai'", "'kind' must be one of"),
        ("[[engine]]\nname = 'a'\nkind = ['echo']", "'kind' must be one of"),
        ("[[engine]]\nname = 'a b'\nkind = 'echo'", "engine.0.echo.name"),
        ("[[engine]]\nname = 'l'\nkind = 'localllm'\nurl = 'https://x'", "the app speaks plain HTTP only"),
        ("[[engine]]\nname = 'a'\nkind = 'localllm'\n[[engine]]\nname = 'b'\nkind = 'localllm'", "one request at a time"),
        ("[[engine]]\nname = 'o'\nkind = 'openai'", "engine.0.openai.url: Field required"),
        ("[[engine]]\nname = 'o'\nkind = 'openai'\nurl = 'ftp://x/v1'", "http://127.0.0.1:11434/v1"),
        ("[[engine]]\nname = 'o'\nkind = 'openai'\nurl = 'http://x/v1'\ntools = 'yes'", "engine.0.openai.tools"),
        ("[router]\nallowed_fials = 1", "unknown key 'router.allowed_fials'"),
        ("[router]\nretry_policy = {OtherErrorRetries = 1}", "unknown key 'router.retry_policy.OtherErrorRetries'"),
        (ECHO + "[router]\ndefault_fallbacks = ['f/x']", "must look like engine/model; there are the engines e"),
        ("[[key]]\nname = 'k'\nkey = 'short'", "key.0.key"),
        ("[[key]]\nname = 'k'\nkey = 'sk-0123456789'\nclass = 'slow'", "key.0.class"),
        ("[key]\nname = 'k'", "write each as [[key]]"),
        ("[[key]]\nname = 'k'\nkey = 'sk-0123456789'\n" * 2, "'k' is given twice"),
        (ECHO + ECHO, "'e' is given twice"),
        (ECHO + "[[model]]\nname='m'\nroute=['e/x']\n" * 2, "'m' is given twice"),
        (ECHO + "[[model]]\nname='m'\nroute=['echo']", "must look like engine/model"),
        (ECHO + "[[model]]\nname='m'\nroute=['e/']", "must look like engine/model"),
        (ECHO + "[[model]]\nname='m'\nroute=['f/x']", "names no engine; there are e"),
        (ECHO + "[[model]]\nname='m'\nroute=[]", "model.0.route"),
        ("[[engine]]\nname='i'\nkind='inferrlm'\nurl='https://x'", "plain HTTP"),
        ("[[engine]]\nname='i'\nkind='inferrlm'\nurl='http://x/v1'", "without a path"),
        ("[[engine]]\nname='i'\nkind='inferrlm'\nurl='127.0.0.1:8889'", "must look like"),
    ],
)
def test_a_wrong_file_is_refused_by_place_and_key(tmp_path: Path, text: str, said: str) -> None:
    error = refused(tmp_path, text)
    assert said in error
    assert error.startswith(str(tmp_path / "config.toml"))


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("FARMHAND_PORT", "1", "FARMHAND_PORT is no setting of Farmhand; there are FARMHAND_SERVER_HOST"),
        ("FARMHAND_SERVER_PROT", "1", "FARMHAND_SERVER_PROT is no setting"),
        ("FARMHAND_HOME_X", "1", "FARMHAND_HOME_X is no setting"),
        (
            "FARMHAND_ENGINE_NOBODY_URL",
            "1",
            "names no [[engine]] that is configured; there are: inferrlm, localllm, demo",
        ),
        ("FARMHAND_ENGINE", "1", "names no [[engine]]"),
        ("FARMHAND_MODEL_M_ROUTE", "1", "names no [[model]] that is configured; there are: none"),
        ("FARMHAND_SERVER_PORT", "99999", "environment: FARMHAND_SERVER_PORT: server.port"),
        ("FARMHAND_ENGINE_DEMO_SLOTS", "0", "environment: FARMHAND_ENGINE_DEMO_SLOTS: engine.2.llama.slots"),
        ("FARMHAND_ENGINE_DEMO_SLOT", "2", "environment: FARMHAND_ENGINE_DEMO_SLOT: unknown key"),
        ("FARMHAND_AUTH_KEYS", "k-secret-one", "environment: FARMHAND_AUTH_KEYS: auth.keys: must be a list"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(tmp_path: Path, variable: str, text: str, said: str) -> None:
    """Not with the file's name, which may not even exist."""
    assert said in refused(tmp_path, "", {variable: text})


def test_a_wrong_flag_is_named(tmp_path: Path) -> None:
    assert refused(tmp_path, "", host="").startswith("--host: server.host")
    assert "write it as [server]" in refused(tmp_path, "server = 5", port=1)


@pytest.mark.parametrize(
    "text",
    [
        "[auth]\nkeys = 'k-SECRET-1'",
        "[auth]\nkeys = ['k SECRET 1']",
        "[auth]\nkeys = [['k-SECRET-1']]",
        "[auth]\nkeys = ['k-SECRET-1', 'kSECRET']",
        "[auth]\nrequired = 'k-SECRET-1'",
        "auth = 'k-SECRET-1'",
        "keys = ['k-SECRET-1']",
        "[[engine]]\nname = 'o'\nkind = 'opnai'\napi_key = 'k-SECRET-1'",
        "[[engine]]\nname = 'o'\napi_key = 'k-SECRET-1'",
        "[[engine]]\nname = 'o'\nkind = 'openai'\napi_key = 'k-SECRET-1'",
        "[[engine]]\nname = 'o'\nkind = 'echo'\napi_key = 'k-SECRET-1'",
        "[auth]\nkeys = ['k-SECRET-1'\n[server]",
    ],
)
def test_an_error_never_shows_a_key(tmp_path: Path, text: str) -> None:
    """It goes to a terminal, a log, and then into a forum."""
    assert "SECRET" not in refused(tmp_path, text)


def test_several_faults_are_told_at_once(tmp_path: Path) -> None:
    error = refused(tmp_path, "[server]\nport = -1\nprot = 1")
    assert "server.port" in error and "server.prot" in error


@pytest.mark.parametrize("named", ["flag", "variable"])
def test_a_file_that_was_named_must_exist(tmp_path: Path, named: str) -> None:
    gone = tmp_path / "gone.toml"
    with pytest.raises(SettingsError, match="no such configuration file"):
        load(
            {} if named == "flag" else {"FARMHAND_CONFIG": str(gone)},
            config=gone if named == "flag" else None,
        )


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load({}, config=tmp_path)
    (tmp_path / "c").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not valid TOML"):
        load({}, config=tmp_path / "c")


# --- open without a key ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "localhost", "::1", "[::1]"])
def test_no_key_is_needed_on_loopback_only(tmp_path: Path, host: str) -> None:
    assert is_loopback(host)
    assert not loaded(tmp_path, "[auth]\nrequired = false", host=host).auth.required


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.2", "phone.local", "10.0.0.1", "127.0.0.1.evil.com"]
)
def test_no_key_beyond_loopback_is_refused(tmp_path: Path, host: str) -> None:
    assert not is_loopback(host)
    assert 'host = "127.0.0.1"' in refused(tmp_path, "[auth]\nrequired = false", host=host)
    assert loaded(tmp_path, "", host=host).auth.required


def test_two_engines_on_one_phone_are_refused(tmp_path: Path) -> None:
    """Each keeps one request in flight; together they would be two, which cuts answers short."""
    phone = '[[engine]]\nname = "{}"\nkind = "inferrlm"\nurl = "http://10.0.0.7:8889{}"\n'
    with pytest.raises(SettingsError, match=r"http://10\.0\.0\.7:8889; the app bears one request at a time"):
        loaded(tmp_path, phone.format("a", "") + phone.format("b", "/"))
