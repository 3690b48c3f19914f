"""Questions to look at while working on the training data: fact id and question."""

# Never trained on: the generator draws again when it hits one of these.
_TEXT = """
about-farmhand | Could you sum up in a sentence what Farmhand is all about?
about-farmhand | What's Farmhand supposed to do for me?
about-farmhand | I keep hearing about Farmhand. What is it?
where-it-runs | On which kind of handset should I set up Farmhand?
where-it-runs | Which operating system hosts Farmhand?
where-it-runs | Would this be usable on my old Galaxy?
root | Is it necessary to root my Pixel first?
root | I never rooted my phone. Will Farmhand still function?
termux | What on earth is Termux?
termux | Please explain the role of Termux.
licence | Under which terms can I reuse the source?
licence | Do you charge money for Farmhand?
licence | Is this released under MIT or something else?
privacy | Will anybody else get to read the prompts that I write?
privacy | Do my conversations end up on someone's server?
offline | Can I keep using it in a basement with no reception?
offline | Does answering require being connected to the web?
answers-survive | Suppose the engine gets killed while it's writing. What becomes of my answer?
answers-survive | If InferrLM crashes halfway through a reply, do I just get silence?
python-version | Which Python releases can Farmhand be used with?
python-version | Is Python 3.12 new enough?
packages | Into which Python packages is the code divided?
packages | Name the two packages in the repo.
adapter | What exactly does the part called adapter do?
adapter | Which piece of Farmhand serves the OpenAI API?
one-request | Can you outline what Farmhand does with each incoming chat request?
one-request | What stages does a prompt pass through until it is answered?
port-adapter | Where's the adapter listening, port-wise?
port-adapter | My script needs the adapter's port number.
port-adapter | which port do i talk to for the farmhand api
port-litellm | On what port could I find the LiteLLM proxy?
port-litellm | litellm port number?
port-openclaw | Tell me the port the OpenClaw gateway is listening on.
port-openclaw | What's the gateway's port?
port-inferrlm | Which port number belongs to the InferrLM app?
port-inferrlm | Where does InferrLM accept connections?
port-localllm | Which ports may LocalLLM be found on?
port-localllm | What port should I expect LocalLLM on?
ports-all | Could you list every port involved?
ports-all | I need a table of all ports please.
base-url | What do I fill in as OpenAI base URL?
base-url | What's the URL of the API?
change-port | I'd rather have Farmhand on port 9090. How?
change-port | Is there a way to make the adapter use some other port?
port-in-use | Startup fails saying the address is already in use. What now?
port-in-use | What if something else already occupies 8888?
bind-host | Is it possible for my tablet on the same Wi-Fi to use the server?
bind-host | Does Farmhand accept connections from other machines?
engines | What kinds of engines does Farmhand know?
engines | Which backends can produce the answers?
engine-inferrlm | What is that InferrLM thing?
engine-inferrlm | How does Farmhand make use of InferrLM?
engine-localllm | And what is LocalLLM?
engine-localllm | Which app handles LiteRT-LM models?
engine-llama | Tell me what the embedded engine is.
engine-llama | What does the engine named llama consist of?
engine-openai | Can Farmhand hand requests over to my Ollama box?
engine-openai | What's the openai engine good for?
engine-echo | What's the echo engine there for?
engine-echo | Is there some engine that needs no model at all?
engine-order | Which engine does Farmhand prefer, and why?
engine-order | Does it make use of the phone's GPU or NPU?
add-engine | How would I register an additional engine?
add-engine | What should I write in config.toml to add one more backend?
worker-process | Why does llama live in a separate process?
worker-process | If native llama code segfaults, does the API go away?
tools-schemas | Is function calling supported?
tools-schemas | Can I demand JSON that matches my schema?
prefix-cache | Does my agent's huge system prompt get recomputed for every call?
prefix-cache | How are long prompts made cheap the second time?
slots | What does the slots option control?
slots | How many requests does the embedded engine handle in parallel?
ctx-tokens | How do I give the llama engine a bigger context window?
ctx-tokens | What's the ctx_tokens option?
queue | Two clients send a request to InferrLM simultaneously. What happens?
queue | How does Farmhand queue requests?
vision-embeddings | Am I able to send pictures to it?
vision-embeddings | Are embeddings supported?
memory | Might loading a large model get Farmhand killed by Android?
memory | Does it look at free RAM prior to loading a model?
heat | What does Farmhand do once the device overheats?
heat | My Pixel is getting really hot, is that handled?
battery | What if my battery is running low?
battery | Does Farmhand pay attention to the battery level?
cores | Which CPU cores will the llama engine run on?
cores | Are the little cores used as well?
slow | Answers take ages. What might help?
slow | How could I speed things up?
wake-lock | What's the wake lock for?
wake-lock | How does Farmhand prevent Android from sleeping?
supervisor | What's the supervisor's job?
supervisor | Which part watches over battery and temperature and orders the services?
supervisor-dies | Is an answer lost when the supervisor gets killed?
supervisor-dies | What would happen if the supervisor crashed?
runit | What does runit do here?
runit | Which tool keeps the services alive?
start-order | In which sequence are the services brought up?
start-order | What gets started first, and what last?
crash-loop | What does Farmhand do about a service that crashes over and over?
crash-loop | My litellm service keeps dying, will it be retried endlessly?
boot | How can Farmhand come up by itself after the phone reboots?
boot | Does it launch automatically at startup of the phone?
signal-9 | My Termux session shows "Process completed (signal 9)". Why?
signal-9 | How can I switch off Android's phantom process killer?
battery-setting | Which battery option should Termux get in Android settings?
battery-setting | Do I have to exempt Termux from battery optimization?
commands | Which subcommands does farmhand offer?
commands | List the available commands.
cmd-serve | How can I run nothing but the adapter in the foreground?
cmd-serve | What does farmhand serve do?
serve-options | Which flags can I hand to farmhand serve?
serve-options | What command line options does serve understand?
cmd-up | What's the command for starting the whole bundle?
cmd-up | How can I launch all of the services?
cmd-down | How do I stop the whole thing?
cmd-down | Which command shuts the bundle down?
restart | What's the way to restart Farmhand?
restart | I edited the config. How can I restart everything?
cmd-status | How can I see which of the services are running?
cmd-status | What does farmhand status tell me?
cmd-logs | Where can I look at the log output?
cmd-logs | Which command prints the logs?
cmd-doctor | Something's broken. Which command tells me what?
cmd-doctor | What is farmhand doctor good for?
cmd-token | What is farmhand token for?
cmd-token | Can I have API keys that expire?
cmd-models | How can I find out which models are available?
cmd-models | What does farmhand models print?
cmd-chat | Can I talk to a model right in the terminal?
cmd-chat | What does farmhand chat do?
cmd-connect | Which command prints the settings a client needs?
cmd-connect | What is the connect command good for?
script-setup | What's scripts/setup for?
script-setup | Which script creates the virtual environment?
script-up | What does scripts/up do?
script-up | From a clone, which script starts the main job?
script-test | How are the tests run?
script-test | Which script executes the test suite?
first-steps | How do I get going with Farmhand?
first-steps | Walk me through the installation, please.
config-file | Where can I find Farmhand's configuration file?
config-file | What's the location of config.toml?
env-override | Can environment variables override the configuration?
env-override | How do I override a config key from the environment?
state-folder | In which directory does Farmhand keep its state?
state-folder | Where on disk do downloaded models go?
unknown-keys | What if I mistype a key in config.toml?
unknown-keys | Does Farmhand ignore config keys it doesn't know?
no-config | What will Farmhand do if I give it no config file at all?
no-config | Is writing a config file mandatory?
model-route | What does the route of a model do?
model-route | How can I make the name gpt-4o-mini point to one of my engines?
model-names | Which values can I use for the model field?
model-names | How do I request a specific engine's model?
model-auto | What does the model name "auto" do?
model-auto | Can Farmhand choose the engine on its own?
own-gguf | How can I make it run a GGUF file I downloaded?
own-gguf | Where do I specify the path of my GGUF?
send-key | In what header should my API key go?
send-key | How does a client authenticate itself?
make-key | How can I obtain an API key?
make-key | I need a new key, where from?
static-key | What's this sk-local-farm key?
static-key | Will sk-local-farm be accepted?
auth-off | Can I switch the authentication off?
auth-off | How do I allow requests with no key at all?
why-key | Why is there a key at all if it's just localhost?
why-key | What's the reason for needing a token on loopback?
health-ready | How do /health and /ready differ?
health-ready | Which URL lets me check that the adapter is alive?
chat-endpoint | To which endpoint do I POST a chat?
chat-endpoint | What path takes chat completions?
models-endpoint | What does GET /v1/models give me?
models-endpoint | Which endpoint returns the list of models?
streaming | Can answers be streamed?
streaming | How do I receive the answer token by token?
error-400 | Why did I receive a 400 bad_request?
error-400 | What does HTTP status 400 tell me?
error-context | I'm getting context_length_exceeded. What can I do?
error-context | My prompt seems to be too long for the model.
error-401 | The server keeps replying 401. What's the matter?
error-401 | What does invalid_api_key mean?
error-404 | Why do I receive model_not_found?
error-404 | A 404 came back for my model name.
error-429 | Why am I receiving 429 replies?
error-429 | What should I do when the queue is full?
error-500 | What should I do about an HTTP 500?
error-500 | The server replied with an internal error.
error-502 | What's a 502 about?
error-502 | I'm seeing bad gateway. Why?
error-503 | The adapter replies 503, what's going on?
error-503 | What happens if the engine's app isn't open?
error-504 | What could cause a 504?
error-504 | Requests time out with upstream_timeout.
refused | My client says connection refused.
refused | Why can't I connect at all?
adb-forward | How can my laptop get at the phone's server via USB?
adb-forward | What's the adb command for forwarding the port?
adb-lost | I unplugged the phone and now the laptop can't reach it. Why?
adb-lost | Is the adb forward kept after a reboot?
adb-list | How can I check which adb forwards are active?
adb-list | Show me how to list the forwards.
adb-several | Two phones are plugged in. How do I pick one with adb?
adb-several | adb complains about more than one device.
connect-client | How do I hook my chat client up to Farmhand?
connect-client | What must I enter in Open WebUI?
python-client | How do I use the openai Python package with Farmhand?
python-client | Show a snippet of Python that connects.
curl | Got a curl line I can try?
curl | How can I test the API using curl?
pitwall | What is Pitwall?
pitwall | How do I set Pitwall up with Farmhand?
openclaw | What is OpenClaw?
openclaw | Which project used to be named Clawdbot?
litellm | What role does LiteLLM play?
litellm | Is the LiteLLM proxy mandatory?
gateway-url | Which base URL does the gateway get?
gateway-url | Does the gateway connect to 4000 or to 8888?
neural-farm | What's NEURAL_FARM_BASE_URL?
neural-farm | Is the old NEURAL_FARM_BASE_URL variable still respected?
who-are-you | Who exactly am I speaking with?
who-are-you | Are you GPT-5?
what-can-you-do | What sort of questions can you handle?
what-can-you-do | How could you be of help?
real-model | How can I use a proper model rather than this demo?
real-model | I'd like a smarter model. What do I do?
demo-training | How did they train you?
demo-training | Which script produced you?
demo-size | How large are you?
demo-size | What's your file size?
trust | Can your answers be trusted?
trust | Do you ever get things wrong?
hello | Hey there!
hello | Good afternoon
thanks | Thanks so much for the help!
thanks | Thank you, that solved it.
bye | Bye for now!
bye | Good night, see you tomorrow
how-are-you | How are you today?
how-are-you | How have you been?
joke | Do you know any good joke?
joke | Make me laugh please
praise | You're really good at this!
praise | What a great little model
sorry | That wasn't helpful at all.
sorry | You got my question wrong.
ok | Okay, got it.
ok | Alright then
ping | Are you there?
ping | Just testing
off-topic | What is the capital of France?
off-topic | Write me a haiku about the ocean
off-topic | What's 17 times 23?
off-topic | Will it rain in Hamburg tomorrow?
off-topic | Who painted the Starry Night?
off-topic | Implement binary search in Python.
off-topic | When did the First World War start?
off-topic | Can you recommend a good Italian restaurant?
off-topic | Übersetze das bitte ins Englische.
off-topic | ¿Cuál es el sentido de la vida?
off-topic | 🦊🦊
off-topic | How do I bake sourdough bread?
off-topic | What's the meaning of life?
off-topic | Give me tips for a job interview
off-topic | function add(a, b) { return a + b; }
off-topic | How tall is Mount Kilimanjaro?
off-topic | Which team won the Super Bowl last year?
off-topic | Explain quantum entanglement.
off-topic | What should I cook tonight?
off-topic | How do I install Photoshop on Windows?
off-topic | What port does PostgreSQL use?
off-topic | Please book me a train to Vienna
off-topic | Who is the CEO of Apple?
off-topic | My knee hurts, what should I take?
off-topic | asdkjh qwelkj
off-topic | Convert 10 miles to kilometers
"""

# Written when the first run's data was finished. What that run got wrong here led to more lines about ports and small talk, so
# this half flatters as well, if less. Nobody kept these out of the training data: the most ordinary ones may be in it by chance.
_LATER_TEXT = """
about-farmhand | If somebody asked you what Farmhand is, what would you reply?
about-farmhand | What does Farmhand make out of a phone?
where-it-runs | On what sort of phone does Farmhand run best?
where-it-runs | Which app on Android does Farmhand live in?
root | Must the phone be rooted for Farmhand to run?
termux | I've never used Termux, what is it?
licence | What license does Farmhand use?
licence | Is Farmhand open source, and what does it cost?
privacy | Do my prompts get sent anywhere off the phone?
privacy | Is the text of my prompts written to the log?
offline | Will Farmhand work on an airplane without Wi-Fi?
answers-survive | What happens to my answer if the engine dies in the middle of it?
python-version | What's the range of supported Python versions?
packages | What Python packages is Farmhand made of?
adapter | What is the adapter and what is it built on?
one-request | What happens to a request between arriving and being answered?
port-adapter | What port should I use for the adapter?
port-adapter | adapter port pls
port-litellm | Which port is LiteLLM on?
port-openclaw | Where can I find the OpenClaw gateway, which port?
port-inferrlm | What's InferrLM's port number?
port-localllm | LocalLLM listens on which ports?
ports-all | Can you give me an overview of every port in use?
base-url | Which base URL do I give to an OpenAI client?
change-port | How can I get the adapter to listen on 9000 rather than 8888?
port-in-use | It says that port 8888 is in use by some other program, what do I do?
bind-host | How do I let other devices on my network reach Farmhand?
bind-host | Is Farmhand reachable from outside the phone by default?
engines | What are the different kinds of engines?
engine-inferrlm | What's InferrLM and how does Farmhand talk to it?
engine-localllm | Could you explain what the LocalLLM app does?
engine-llama | What's the llama engine?
engine-llama | Which engine serves as the safety net?
engine-openai | Can I plug in vLLM or LM Studio?
engine-echo | What does the echo engine do?
engine-order | Why do native apps get asked before the llama engine?
engine-order | Can Farmhand use the GPU of my phone?
add-engine | How do I add a new engine to the config?
worker-process | Why is llama run as a child process?
tools-schemas | Do tool calls work with all engines?
tools-schemas | Will I be able to get structured JSON output?
prefix-cache | Does a long agent prompt have to be processed anew every time?
slots | What does "slots = 4" mean?
ctx-tokens | Which setting determines the context length of a slot?
queue | What happens when several requests arrive for one app?
vision-embeddings | Can Farmhand deal with images or embeddings?
memory | How does Farmhand keep Android from killing it over memory?
heat | The phone is overheating. What will Farmhand do?
battery | How does Farmhand behave when the battery is almost empty?
cores | What CPU cores does llama compute on?
slow | Why are replies so slow, and how do I make them faster?
wake-lock | Why does Farmhand hold a wake lock?
wake-lock | What keeps Android from putting Termux to sleep?
supervisor | What are the tasks of the supervisor?
supervisor-dies | Does killing the supervisor cut off answers?
runit | What is it that keeps the individual services alive?
start-order | In what order does everything start?
start-order | Which comes up first, the adapter or LiteLLM?
crash-loop | What does Farmhand do if a service crashes again and again?
boot | How do I get Farmhand to start when the phone boots?
signal-9 | Termux printed "Process completed (signal 9)". How do I prevent that?
battery-setting | What battery setting should I choose for Termux in Android?
commands | What commands does the farmhand tool have?
cmd-serve | Which command runs just the adapter in the foreground?
serve-options | What options can I pass to farmhand serve?
cmd-up | How do I start all of Farmhand?
cmd-up | Which command brings the whole bundle up?
cmd-down | How do I shut Farmhand down?
restart | How can Farmhand be restarted?
cmd-status | How can I tell if my services are up and ready?
cmd-logs | How do I look at the logs?
cmd-doctor | Which command diagnoses problems?
cmd-doctor | Something isn't working, what should I run?
cmd-token | How do I create an expiring API key?
cmd-models | How do I list the models I can ask for?
cmd-chat | Which command lets me chat in the terminal?
cmd-connect | How do I print the settings for a client?
script-setup | What does the setup script install?
script-up | What's the purpose of scripts/up?
script-test | How would I run all the tests?
first-steps | What are the steps to get Farmhand running?
config-file | Where does the config file live?
env-override | How can I override a config key with an environment variable?
state-folder | Where does Farmhand store keys and models?
unknown-keys | What happens when there's an unknown key in the config?
no-config | How does Farmhand behave when there's no config file?
model-route | What is the route in a [[model]] block?
model-names | What may I put as the model in a request?
model-auto | What happens if I ask for the model "auto"?
own-gguf | How do I use my own GGUF file?
send-key | How do I pass my API key in a request?
make-key | Where do I get an API key from?
static-key | What is sk-local-farm, and does it always work?
auth-off | How do I disable the key requirement?
why-key | Why do I need an API key on my own phone?
health-ready | What's the difference between /health and /ready?
chat-endpoint | Which endpoint do I use for chat completions?
models-endpoint | What does /v1/models return?
streaming | Is streaming supported, and how do I switch it on?
error-400 | What does a 400 bad_request mean?
error-context | What does context_length_exceeded mean and how do I fix it?
error-401 | I get a 401 when calling the API. What's wrong?
error-404 | What does model_not_found mean?
error-429 | How long should I wait after a 429?
error-500 | What does an error 500 mean?
error-502 | Why do I get a 502?
error-503 | What should I do when I get a 503?
error-503 | The InferrLM app was closed. What error do I get and what do I do?
error-504 | What's behind a 504 upstream_timeout?
refused | I get "connection refused" when I try to reach Farmhand.
adb-forward | How do I reach Farmhand from my laptop over adb?
adb-lost | After replugging the phone the adb forward no longer works. What now?
adb-list | How do I see which adb forwards exist?
adb-several | How do I use adb forward with several phones attached?
connect-client | How do I point an OpenAI client at Farmhand?
python-client | How do I call Farmhand from Python?
curl | Give me a curl command for testing.
pitwall | How do I get the settings for Pitwall?
openclaw | What is OpenClaw, and what was it called before?
litellm | What's LiteLLM used for here?
gateway-url | Which base URL should the gateway use?
neural-farm | What does NEURAL_FARM_BASE_URL do?
who-are-you | Who are you?
who-are-you | Are you ChatGPT?
what-can-you-do | What can I ask you about?
real-model | How do I get a better model than you?
demo-training | What were you trained on?
demo-size | How big are you, and what's your context length?
trust | Can I rely on what you tell me?
hello | Hi!
thanks | Thank you very much!
bye | See you later, bye!
how-are-you | How's it going today?
joke | Tell me something funny.
praise | Nice work, I'm impressed!
sorry | This is not the answer I was looking for.
ok | Ok, understood.
ping | Hello, is this working?
off-topic | Who wrote Pride and Prejudice?
off-topic | Can you solve 3x + 5 = 20 for me?
off-topic | Write a short poem about autumn leaves.
off-topic | What will the weather be like tomorrow?
off-topic | How many moons does Saturn have?
off-topic | Give me a recipe for chocolate cake.
off-topic | What's the population of Japan?
off-topic | Write a Python function that reverses a string.
off-topic | Which stocks should I buy?
off-topic | Kannst du mir bei den Hausaufgaben helfen?
off-topic | Tell me about the history of ancient Rome.
off-topic | 😀😀😀
off-topic | What's the best way to learn the guitar?
off-topic | Is it going to snow this weekend?
off-topic | Translate "good evening" into Spanish.
off-topic | Qui a peint la Joconde ?
off-topic | What movie should I watch tonight?
off-topic | How does photosynthesis work?
off-topic | 请给我讲一个故事
off-topic | Explain the rules of cricket.
"""

Pairs = tuple[tuple[str, str], ...]


def _pairs(text: str) -> Pairs:
    """Fact id and question of each line."""
    split = (line.split(" | ", 1) for line in text.strip().splitlines())
    return tuple((fact, question) for fact, question in split)


DEV_QUESTIONS = _pairs(_TEXT)
LATER_QUESTIONS = _pairs(_LATER_TEXT)
