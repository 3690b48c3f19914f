"""What the demo model knows: one row per fact, with the one wording of its answer.

`key` are the words that make an answer right; a judge may look for them, in any case. The questions that
lead to each fact are in `questions.py`, so that this table can be read without seeing them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    """One thing to know: a stable id, the whole answer, and the parts of it that must not be missing."""

    id: str
    answer: str
    key: tuple[str, ...]


FACTS: tuple[Fact, ...] = (
    # --- Farmhand itself
    Fact(
        "about-farmhand",
        "Farmhand turns a phone into a dependable OpenAI server. Apps, agents and a laptop talk plain OpenAI to it.",
        ("phone", "OpenAI server"),
    ),
    Fact(
        "where-it-runs",
        "Farmhand runs in Termux on an Android phone, best on a Pixel. It needs no root.",
        ("Termux",),
    ),
    Fact("root", "No root is needed: Farmhand runs inside Termux like any ordinary program.", ("no root",)),
    Fact(
        "termux",
        "Termux is a terminal with a small Linux world for Android. Farmhand lives inside it.",
        ("terminal", "Android"),
    ),
    Fact(
        "licence",
        "Farmhand is free, open source software under the Apache-2.0 licence. It costs nothing.",
        ("Apache-2.0",),
    ),
    Fact(
        "privacy",
        "Your prompts stay on the phone, and the log never holds prompt text.",
        ("stay on the phone",),
    ),
    Fact(
        "offline",
        "Yes, it works offline: the engines are on the phone itself, so answering needs no internet.",
        ("offline",),
    ),
    Fact(
        "answers-survive",
        "If an engine dies in mid-answer, the client gets a clear error, never a silent stop. The next request "
        "starts the engine again.",
        ("clear error", "next request"),
    ),
    Fact(
        "python-version", "Farmhand needs Python 3.11–3.14; on the phone it runs on 3.14.", ("3.11", "3.14")
    ),
    Fact(
        "packages",
        "There are two Python packages: adapter, the API server, and phone, the supervisor and the command line.",
        ("adapter", "phone"),
    ),
    Fact(
        "adapter",
        "The adapter is Farmhand's own API server, built on aiohttp. It listens on port 8888.",
        ("API server",),
    ),
    Fact(
        "one-request",
        "A request is checked, parsed, routed to an engine that can do it, queued, and answered as OpenAI chunks.",
        ("routed", "queued"),
    ),
    # --- ports and addresses
    Fact("port-adapter", "The adapter listens on port 8888 of 127.0.0.1.", ("8888",)),
    Fact("port-litellm", "The LiteLLM proxy listens on port 4000.", ("4000",)),
    Fact("port-openclaw", "The OpenClaw gateway listens on port 18789.", ("18789",)),
    Fact("port-inferrlm", "The InferrLM app listens on port 8889.", ("8889",)),
    Fact("port-localllm", "The LocalLLM app listens on port 8099 or 8080.", ("8099", "8080")),
    Fact(
        "ports-all",
        "These are the ports:\n- 8888 adapter\n- 4000 LiteLLM\n- 18789 OpenClaw\n- 8889 InferrLM\n- 8099 or 8080 LocalLLM",
        ("8888", "4000", "18789", "8889", "8099"),
    ),
    Fact(
        "base-url",
        "The base URL is http://127.0.0.1:8888/v1 with your key as bearer token.",
        ("127.0.0.1:8888/v1",),
    ),
    Fact(
        "change-port",
        "Set port under [server] in config.toml, or FARMHAND_SERVER_PORT, or use farmhand serve --port.",
        ("[server]", "--port"),
    ),
    Fact(
        "port-in-use",
        "Another program holds the port. Stop that program, or choose another port with farmhand serve --port.",
        ("another port", "--port"),
    ),
    Fact(
        "bind-host",
        "By default only the phone itself can reach it, at 127.0.0.1. To open it to others set host under [server].",
        ("127.0.0.1", "host"),
    ),
    # --- engines
    Fact(
        "engines",
        "There are three engine kinds now: inferrlm, llama and echo. localllm and openai are planned.",
        ("inferrlm", "llama", "localllm", "openai"),
    ),
    Fact(
        "engine-inferrlm",
        "InferrLM is an app that runs models on the phone. The inferrlm engine uses its native API on port 8889.",
        ("app", "native API"),
    ),
    Fact(
        "engine-localllm",
        "LocalLLM is an app that runs LiteRT-LM models on GPU or NPU, on port 8099 or 8080. The localllm engine is planned.",
        ("app", "LiteRT-LM"),
    ),
    Fact(
        "engine-llama",
        "The llama engine is embedded llama-cpp-python in a worker process of its own. It is the safety net.",
        ("llama-cpp-python",),
    ),
    Fact(
        "engine-openai",
        "The openai engine will talk to any OpenAI-shaped server, such as Ollama, vLLM or LM Studio. It is planned, not built yet.",
        ("any OpenAI-shaped server",),
    ),
    Fact(
        "engine-echo",
        "The echo engine has no model: it answers from the prompt, for tests.",
        ("no model", "tests"),
    ),
    Fact(
        "engine-order",
        "Native apps come first, because they reach the GPU and NPU. The llama engine is the safety net.",
        ("native apps", "first"),
    ),
    Fact(
        "add-engine",
        "Add an [[engine]] block to config.toml with a name and a kind, such as inferrlm with its url, or llama with its model.",
        ("[[engine]]",),
    ),
    Fact(
        "worker-process",
        "The llama engine is a child process, so that a crash or an out-of-memory kill never takes the API down.",
        ("child process",),
    ),
    Fact(
        "tools-schemas",
        "Tools and JSON schemas are not built yet: a request that needs them gets a 400 that names the field.",
        ("not built yet",),
    ),
    Fact(
        "prefix-cache",
        "A prompt that begins like the last one in its slot is not computed again. Keeping prefixes on disk is planned.",
        ("prefixes", "disk"),
    ),
    Fact(
        "slots",
        "slots says how many requests the llama engine answers at the same time; the example has slots = 4.",
        ("slots", "same time"),
    ),
    Fact(
        "ctx-tokens",
        "ctx_tokens sets the context length of one slot in tokens; the example has ctx_tokens = 4096.",
        ("ctx_tokens",),
    ),
    Fact(
        "queue",
        "Each app has one seat. Other requests wait in a bounded queue, and a client that leaves frees the seat.",
        ("one seat", "queue"),
    ),
    Fact(
        "vision-embeddings",
        "Images and embeddings are not supported yet: such a request gets a 400 that says so.",
        ("not supported yet",),
    ),
    # --- the phone
    Fact(
        "memory",
        "Checking the free memory before a model is loaded, so that Android does not kill it, is planned. Choose a small model.",
        ("memory", "before"),
    ),
    Fact(
        "heat",
        "When the phone gets hot, Farmhand slows down or pauses until it has cooled: that is planned, not built yet.",
        ("hot", "slows down"),
    ),
    Fact(
        "battery",
        "Farmhand watches the battery and slows down or pauses when it is low: that is planned. Plug in the charger.",
        ("battery", "slows down"),
    ),
    Fact("cores", "The llama engine computes on the big cores of the CPU only.", ("big cores",)),
    Fact(
        "slow",
        "Phones are slow with long prompts. Use a smaller model, a shorter prompt, and keep the phone cool and charged.",
        ("smaller model",),
    ),
    Fact(
        "wake-lock",
        "The wake lock keeps Android from putting Termux to sleep. Type termux-wake-lock; the planned supervisor will hold it.",
        ("wake lock", "sleep"),
    ),
    Fact(
        "supervisor",
        "The supervisor orders the services, holds the wake lock, and watches battery, heat and memory. It is planned.",
        ("orders the services",),
    ),
    Fact(
        "supervisor-dies",
        "Killing the supervisor interrupts nobody's answer: its successor carries on from what it sees.",
        ("nobody's answer",),
    ),
    Fact(
        "runit",
        "runit, from termux-services, keeps each service alive. Farmhand only orders them with sv.",
        ("termux-services",),
    ),
    Fact(
        "start-order",
        "The order is wake lock → adapter → LiteLLM → OpenClaw. Stopping is the reverse.",
        ("wake lock → adapter → LiteLLM → OpenClaw",),
    ),
    Fact(
        "crash-loop",
        "A service that keeps crashing is restarted with longer and longer pauses; then the planned supervisor gives up and notifies you.",
        ("gives up",),
    ),
    Fact(
        "boot",
        "Starting after a reboot needs Termux:Boot, once the phone has been unlocked. Farmhand's own boot script is planned.",
        ("Termux:Boot",),
    ),
    Fact(
        "signal-9",
        'Android\'s phantom process killer did that. Turn on "Disable child process restrictions" in Developer options.',
        ("Disable child process restrictions",),
    ),
    Fact(
        "battery-setting",
        "In the Android settings set the battery use of Termux to Unrestricted.",
        ("Unrestricted",),
    ),
    # --- commands
    Fact(
        "commands",
        "farmhand serve works now. Planned are up, down, status, logs, doctor, token, models, chat and connect.",
        ("serve", "up", "down", "status", "logs", "doctor", "token", "models", "chat", "connect"),
    ),
    Fact("cmd-serve", "farmhand serve runs the adapter alone, in the foreground.", ("adapter alone",)),
    Fact(
        "serve-options",
        "farmhand serve takes --config FILE, --host H and --port P.",
        ("--config", "--host", "--port"),
    ),
    Fact(
        "cmd-up",
        "farmhand up will start the whole bundle. Until it is built, use scripts/up or farmhand serve.",
        ("farmhand up",),
    ),
    Fact(
        "cmd-down",
        "farmhand down will stop the whole bundle, in reverse order. Until it is built, press Ctrl-C.",
        ("farmhand down",),
    ),
    Fact(
        "restart",
        "To restart, press Ctrl-C where Farmhand runs and type scripts/up again.",
        ("Ctrl-C", "scripts/up again"),
    ),
    Fact(
        "cmd-status",
        "farmhand status will show which services are up and ready. Until it is built, ask /ready.",
        ("farmhand status",),
    ),
    Fact(
        "cmd-logs",
        "farmhand logs will show the logs of the services. Until it is built, read them where farmhand serve runs.",
        ("farmhand logs",),
    ),
    Fact(
        "cmd-doctor",
        "farmhand doctor will say in a sentence what is wrong and what to type. It is planned.",
        ("farmhand doctor",),
    ),
    Fact(
        "cmd-token",
        "farmhand token will make API keys: named, scoped and expiring ones. It is planned.",
        ("farmhand token",),
    ),
    Fact(
        "cmd-models",
        "farmhand models will list and fetch models. Until it is built, ask GET /v1/models.",
        ("farmhand models",),
    ),
    Fact(
        "cmd-chat",
        "farmhand chat will let you talk to a model in the terminal. Until it is built, use curl.",
        ("farmhand chat",),
    ),
    Fact(
        "cmd-connect",
        "farmhand connect will print the settings for a client, for example farmhand connect pitwall. It is planned.",
        ("farmhand connect",),
    ),
    Fact(
        "script-setup",
        "scripts/setup makes the virtual environment and installs everything. It may be run again.",
        ("scripts/setup",),
    ),
    Fact(
        "script-up",
        "scripts/up sets up a clone and starts the server with the demo model.",
        ("scripts/up",),
    ),
    Fact("script-test", "scripts/test sets up a clone and runs all tests.", ("scripts/test",)),
    Fact(
        "first-steps",
        "To start:\n1. Run scripts/up.\n2. Copy the curl line that it prints.\n3. Paste it into a second terminal.",
        ("scripts/up", "curl line"),
    ),
    # --- configuration
    Fact(
        "config-file",
        "The config file is $FARMHAND_CONFIG, else ~/.config/farmhand/config.toml.",
        ("~/.config/farmhand/config.toml",),
    ),
    Fact(
        "env-override",
        "Every config key can be overridden as FARMHAND_<SECTION>_<KEY>, such as FARMHAND_SERVER_PORT.",
        ("FARMHAND_<SECTION>_<KEY>",),
    ),
    Fact(
        "state-folder",
        "The key and models are kept in $FARMHAND_HOME, else in ~/.local/share/farmhand.",
        ("~/.local/share/farmhand",),
    ),
    Fact(
        "unknown-keys",
        "Unknown config keys are refused by name. Correct the spelling or remove the key.",
        ("refused by name",),
    ),
    Fact(
        "no-config",
        "Without a config file Farmhand looks for InferrLM on port 8889; the demo model is the last resort.",
        ("InferrLM", "last resort"),
    ),
    Fact(
        "model-route",
        "A [[model]] block names what clients may ask for; its route lists the engines that answer, best first.",
        ("[[model]]", "route"),
    ),
    Fact(
        "model-names",
        "Ask for a [[model]] name, engine/model, a model id that an engine lists, or auto.",
        ("engine/model", "auto"),
    ),
    Fact("model-auto", "With the model name auto Farmhand picks the engine for you.", ("auto", "picks")),
    Fact(
        "own-gguf",
        'Add an [[engine]] with kind = "llama" and set model to the path of your GGUF file.',
        ("[[engine]]", "path"),
    ),
    # --- keys
    Fact(
        "send-key",
        "Send the key as a bearer token in the header: Authorization: Bearer YOUR_KEY.",
        ("Authorization: Bearer",),
    ),
    Fact(
        "make-key",
        "scripts/up prints your API key and keeps it in the state folder. A key of your own goes under keys in [auth].",
        ("prints your API key", "keys in [auth]"),
    ),
    Fact(
        "static-key",
        "sk-local-farm is a static key. It is honoured only when keys in [auth] lists it.",
        ("static key", "[auth]"),
    ),
    Fact(
        "auth-off",
        "Set required = false under [auth]. That is allowed only with a loopback host.",
        ("required = false",),
    ),
    Fact(
        "why-key",
        "A key is needed because any app on the phone and any program on the laptop can reach a loopback port.",
        ("any app",),
    ),
    # --- endpoints
    Fact(
        "health-ready",
        "/health says that the adapter is alive; /ready says that it can answer requests.",
        ("/health", "alive", "/ready"),
    ),
    Fact("chat-endpoint", "Chats are sent with POST to /v1/chat/completions.", ("/v1/chat/completions",)),
    Fact(
        "models-endpoint",
        "GET /v1/models returns the list of models with their context lengths.",
        ("/v1/models",),
    ),
    Fact(
        "streaming",
        "Yes, Farmhand streams: set stream to true and the answer comes in chunks as server-sent events.",
        ("stream to true",),
    ),
    # --- errors
    Fact(
        "error-400",
        "400 bad_request: the body is malformed, or the engine lacks a parameter. The message names it.",
        ("400", "malformed"),
    ),
    Fact(
        "error-context",
        "context_length_exceeded (400): prompt plus max_tokens do not fit. Shorten the prompt or raise ctx_tokens.",
        ("context_length_exceeded", "shorten the prompt"),
    ),
    Fact(
        "error-401",
        "401 invalid_api_key: the key is missing or wrong. Send the key that scripts/up prints as a bearer token.",
        ("401", "key is missing or wrong"),
    ),
    Fact(
        "error-404",
        "404 model_not_found: nobody serves that model name. GET /v1/models has the right ones.",
        ("404", "model_not_found", "/v1/models"),
    ),
    Fact(
        "error-429",
        "429 queue_full: too many requests are waiting. Wait as long as Retry-After says and try again.",
        ("429", "Retry-After"),
    ),
    Fact(
        "error-500",
        "500 is a fault inside Farmhand or its engine. Try again and look at its log.",
        ("500", "log"),
    ),
    Fact(
        "error-502",
        "502: the engine's app or server gave no usable answer. Open the app again and check the engine's url.",
        ("502", "no usable answer"),
    ),
    Fact(
        "error-503",
        "503: no engine can answer now. Its app is closed, loading, or paused. Open the app and try again.",
        ("503", "open the app"),
    ),
    Fact(
        "error-504",
        "504 upstream_timeout: the engine took too long. Try again, or use a smaller model.",
        ("504", "took too long"),
    ),
    Fact(
        "refused",
        "Connection refused means that nothing listens there. Start Farmhand with scripts/up.",
        ("nothing listens", "scripts/up"),
    ),
    # --- laptop and clients
    Fact(
        "adb-forward",
        "On the laptop run adb forward tcp:8888 tcp:8888, then use http://127.0.0.1:8888/v1.",
        ("adb forward tcp:8888 tcp:8888",),
    ),
    Fact(
        "adb-lost",
        "An adb forward is lost on unplug or reboot. Run adb forward tcp:8888 tcp:8888 again.",
        ("lost", "adb forward tcp:8888 tcp:8888"),
    ),
    Fact("adb-list", "adb forward --list shows the forwards that are set.", ("adb forward --list",)),
    Fact(
        "adb-several",
        "With several phones name one by its serial: adb -s SERIAL forward tcp:8888 tcp:8888.",
        ("adb -s SERIAL",),
    ),
    Fact(
        "connect-client",
        "Give the client the base URL http://127.0.0.1:8888/v1 and the key that scripts/up prints.",
        ("127.0.0.1:8888/v1", "key"),
    ),
    Fact(
        "python-client",
        'In Python: OpenAI(base_url="http://127.0.0.1:8888/v1", api_key="YOUR_KEY").',
        ("base_url", "127.0.0.1:8888/v1"),
    ),
    Fact(
        "curl",
        'Try: curl http://127.0.0.1:8888/v1/models -H "Authorization: Bearer YOUR_KEY"',
        ("curl http://127.0.0.1:8888/v1/models",),
    ),
    Fact(
        "pitwall",
        "Pitwall is an app bridge on the phone. Give it PITWALL_ADK_OPENAI_URL; farmhand connect pitwall is planned.",
        ("farmhand connect pitwall",),
    ),
    Fact(
        "openclaw",
        "OpenClaw, once called Clawdbot, is an optional agent gateway that uses Farmhand. Its port is 18789.",
        ("agent gateway",),
    ),
    Fact(
        "litellm",
        "LiteLLM is an optional proxy in front of the adapter, on port 4000.",
        ("optional proxy",),
    ),
    Fact(
        "gateway-url",
        "The gateway's base URL is port 4000 when the LiteLLM proxy is up, and port 8888 when there is none.",
        ("4000", "8888"),
    ),
    Fact(
        "neural-farm",
        "NEURAL_FARM_BASE_URL is an old name that is still honoured: it gives gateways the base URL.",
        ("NEURAL_FARM_BASE_URL", "gateways"),
    ),
    # --- the demo model about itself
    Fact(
        "who-are-you",
        "I am the demo model of Farmhand: a tiny language model that knows only Farmhand.",
        ("demo model",),
    ),
    Fact(
        "what-can-you-do",
        "I can answer short questions about Farmhand: its ports, commands, config, engines and errors.",
        ("questions about Farmhand",),
    ),
    Fact(
        "real-model",
        "For a real model, load one in InferrLM, or set model of an [[engine]] to the path of a GGUF file.",
        ("real model", "GGUF"),
    ),
    Fact(
        "demo-training",
        "I was trained on a CPU by scripts/train_demo_model.py, on text that the script makes up itself.",
        ("scripts/train_demo_model.py",),
    ),
    Fact(
        "demo-size",
        "I am only a few megabytes, in adapter/demo/demo.gguf, with a context of 2048 tokens.",
        ("few megabytes",),
    ),
    Fact(
        "trust",
        "Do not rely on me: I am only a demo and can be wrong. The README knows better.",
        ("can be wrong",),
    ),
    # --- small talk
    Fact("hello", "Hello! 👋 Ask me something about Farmhand.", ("hello",)),
    Fact("thanks", "You are welcome! 😊", ("welcome",)),
    Fact("bye", "Goodbye! Farmhand keeps working.", ("goodbye",)),
    Fact("how-are-you", "I am fine, thank you. The phone is cool and the queue is short.", ("fine",)),
    Fact("joke", "Why did the phone join the farm? It heard they needed a farmhand. 🌾", ("farm",)),
    Fact("praise", "Thank you, that is kind! 🌱", ("kind",)),
    Fact(
        "sorry",
        "I am sorry that I could not help. Try the README, or ask me in other words.",
        ("sorry",),
    ),
    Fact("ok", "Good. Ask me again whenever you like.", ("good",)),
    Fact("ping", "Yes, I am here and working.", ("working",)),
    # --- everything else
    Fact(
        "off-topic",
        "I am only a tiny demo model and know nothing but Farmhand. Load a real model for that.",
        ("only a tiny demo",),
    ),
)

BY_ID: dict[str, Fact] = {fact.id: fact for fact in FACTS}
