"""More ways to ask for each fact: whole sentences, as somebody else would have put them. Form as in `questions.py`."""

MORE_TEMPLATES: dict[str, str] = {
    "about-farmhand": """
        [in|with] [one|a single] [sentence|line], what [is|does] {name}
        what [exactly |]is {name} [supposed|meant|designed] to [do|achieve|be]
        people [keep talking|talk] about {name}, what [is it|does it do]
        [I'd|I would] like a [brief|short|quick] [description|explanation] of [what |]{name} [does|is|]
        what [role|job] does {name} [have|fulfil|perform] on my {phone}
        what [service|functionality] does {name} [provide|offer]
        how would {name} [help|benefit|be useful to] me
        what's [all this|this whole thing|this farmhand thing] about
    """,
    "where-it-runs": """
        [which|what] [kind|sort|type] of [phone|device|hardware|handset|smartphone] [should I|do I|must I] [get|use|set it up on|run {fh} on|take]
        [would|could|might] [this|{fh}] [run|be usable|be installed|function] on my [old |][Galaxy|Samsung|Motorola|Xiaomi|Fairphone|Nothing phone|Android tablet|Pixel 6|iPad]
        [which|what] [operating system|mobile OS|platform] is [hosting|required by|behind|under] {fh}
        is {fh} [limited|restricted|tied] to [Pixel phones|Google phones|Android]
        what does {fh} [live|sit|execute] [in|inside|within] on the phone
        [inside|within|under] which app [is {fh} running|does {fh} run]
        what hardware is it [intended|designed|optimised|best suited] for
    """,
    "root": """
        is it [necessary|required|important|advisable] to [root|unlock|jailbreak] [my|the] {phone} [first|beforehand|for this|]
        [I've|I have|we] never rooted [my|the|this] {phone}, [will|does|can] {fh} [still |][work|function|run]
        can {fh} [operate|function|work|be used] on a [phone|device] [that isn't|that is not|which is not] rooted
        [would|do|will] I [need|require] [superuser|root|administrator|admin] [permissions|privileges|rights]
        does the installation [require|demand|involve] rooting
        [how about|what's with] rooting, [is it|do I have to do it|is that needed]
    """,
    "termux": """
        what [on earth|in the world|the heck|kind of thing] is Termux
        [please |could you |]explain [what Termux is|Termux to me|what Termux is there for|the role of Termux|the purpose of Termux]
        [which|what] [part|role] does Termux [play|have] [here|in this|for {fh}]
        [I've|I have] no idea what Termux is
        why [would|should] I [install|need|use] Termux
        what is Termux [used|good|there|needed] for
        what [sort|kind] of [software|program|environment] is Termux
    """,
    "licence": """
        [under|on] [which|what] [terms|conditions|legal terms] [can|may] I [reuse|use|share|distribute|copy] [the source|the code|{fh}|it]
        do [you|they|I have to] [charge|pay|ask] [money|a fee|anything] [for {fh}|for it|for this|]
        is [this|{fh}|the project|it] [released|published|distributed|available] under [MIT|GPL|BSD|Apache|MIT or something else|an open source licence]
        which open source licence [was chosen|is used|governs this project|do you use]
        [will|do] I [be charged|have to buy a licence|need a paid plan|owe anybody money]
        [may|can] my [company|employer|team|business] [use|ship|sell|deploy] [it|{fh}]
        is there [any charge|a price tag|a cost] [for using {fh}|]
        what [price|cost] [comes with|does it come at]
        can I [modify|change|fork] the [source|code] and [share|publish|sell] it
    """,
    "privacy": """
        [will|does|can] [anybody|anyone|someone|somebody|a third party] [else |][get to |]read [my prompts|what I write|my conversations|what I type|my messages]
        [do|will|are] [my conversations|my prompts|my chats|my messages|my inputs] [end up|stored|go|land] on [someone's|somebody else's|a foreign|a remote|an external|your] server
        [how|is] [is|] my privacy [protected|respected|guaranteed]
        [does|will] what I [type|write|ask|say] [stay|remain] [local|private|on the device|on my phone]
        are my [conversations|inputs|questions|texts] [kept|held] on the [phone|device|handset]
        [is|are] [the text of my prompts|my prompt text|my inputs] written [to|into] [the logs|log files|a log]
        [which|what] data [leaves|gets out of] my {phone}
        who gets to see [what I ask|my prompts|my data]
        does it share [anything|information|my data] with [third parties|others|the cloud|companies]
    """,
    "offline": """
        can I [keep using|still use|use] [it|{fh}] [in a basement|underground|on a mountain|at sea|abroad|in a plane|on the subway] [with no reception|without reception|without any signal|]
        [does|must|will] [answering|a reply|generating an answer|inference] [require|need] [being connected to the web|the web|an online connection|a web connection|internet access|wifi or mobile data]
        [is it|is {fh}] [usable|functional|able to answer|fully working] [when offline|when there is no internet|without the internet|without connectivity|with wifi switched off]
        what if [my|the] [phone|device] is [offline|not connected|disconnected from the internet]
        [do|does] [the engines|the models|inference] [reach out to|call|use] [the internet|online services|the cloud]
        [must|should] I have [wifi|mobile data|a data plan|a SIM card]
        is a [data connection|network] necessary for [answers|it to work]
    """,
    "answers-survive": """
        [suppose|assume|imagine|say] [the engine|an engine|the app|InferrLM|the model] [gets killed|is killed|crashes|dies|stops] [while|when] [it's|it is] [writing|answering|replying|generating], [what becomes of|what happens to] my [answer|reply]
        if [InferrLM|LocalLLM|the app|an engine|the engine] [crashes|dies|fails|quits] [halfway through|in the middle of|during] [a reply|an answer|a response], [do I just get silence|is my answer lost|will the answer be lost|what do I get|do I get nothing]
        what [becomes of|happens with] a [reply|response|stream|answer] [whose engine|when its engine] [dies|crashes|fails|goes away]
        how does {fh} [deal with|cope with|react to|recover from] [an engine crash|a crashed engine|a failing engine|engine failures] [in the middle of|during|while] [an answer|a stream|streaming]
        [will|can|does] [a|my] [reply|stream|answer|response] [just |simply |]stop [silently|without an error|without warning]
        is [the|an] answer [continued|picked up|finished|completed] by [another|a different|some other] engine
        [is there|do you have] [failover|a fallback|redundancy] when an engine [dies|fails] mid [answer|stream|sentence]
        does a crash in the middle of [an answer|generation] [ruin|lose] the answer
    """,
    "python-version": """
        [which|what] [Python releases|Python versions|versions of Python|releases of Python] [can|may|should|does] {fh} [be used with|run with|be run on|support|work on|accept]
        is [Python|python] 3.[9|10|11|12|13|14] [new enough|recent enough|too old|okay|compatible|supported by farmhand|sufficient]
        which [release|version] of Python [should|must|do] I [have|install|use] [for farmhand|on the phone|]
        what's the [oldest|newest|lowest|latest] [Python|Python version|Python release] that [works|is supported|farmhand accepts]
        [do|does] [you|it|{fh}] need a [particular|certain|specific] Python [version|release]
        which Python does [farmhand|it] [require|want|expect]
    """,
    "packages": """
        [into|in] [which|what|how many] [Python |]packages is the [code|source|code base|project] [divided|split|separated|organised]
        [name|list|tell me] the [two |][Python |]packages [of|in] [the repo|the repository|farmhand|the project|the source tree]
        what [Python |]packages [make up|belong to|form] [farmhand|the project]
        [which|what] [top level|Python] packages will I find in the [repo|source|code]
        what does the [adapter|phone] package [contain|hold|do]
    """,
    "adapter": """
        what [exactly |]does the [part|component|piece|thing|process|program] [called|named] adapter do
        which [piece|component|part|process|program] of {name} [serves|provides|offers|implements|exposes] the [OpenAI API|API|HTTP API|OpenAI interface]
        [please |]explain [what the adapter is|the adapter to me|the job of the adapter|the adapter's role]
        on [which|what] [library|framework|web framework] is the [adapter|API server] [built|based]
        what [role|part] does the adapter [play|have]
        what is the adapter [there|used|good] for
        [describe|define] the adapter
    """,
    "one-request": """
        [can|could] you [outline|describe|explain|sketch] what {name} does with [each|every|an|a] [incoming |][chat |]request
        [what|which] [stages|steps|phases|stations] does a [prompt|request|chat|message] [pass through|go through|run through|take] [until|before] [it is|it's|being] answered
        how does {name} [process|handle|treat|deal with|turn] [an incoming request|each request|a chat request|every request]
        what [takes place|goes on] [inside|between] when [I send a request|a request comes in|a request arrives]
        what [route|way|path] does a request take [through the adapter|inside|]
        how [is|does] a request [get |]turned into an answer
    """,
    "port-adapter": """
        [what|which] port does {name} use
        [what|which] port does {name} [use|listen on|run on|have]
        [what|which] port is {name} [on|using|listening on]
        {name} port [please|number|pls|]
        [what|which] port does {adapter} use
        [what|which] port does {adapter} [use|listen on|run on|have]
        [what|which] port is {adapter} [on|using|listening on]
        {adapter} port [please|number|pls|]
        [where's|where is] the adapter listening[, port-wise|]
        my [script|client|firewall|config] needs the [adapter's|API's|server's] {port}
        which {port} [do I|should I|must I] [talk to|use|connect to|dial|aim at] for the [farmhand api|adapter|API|OpenAI API]
        [at|on|under] [which|what] {port} [can|will|may] [I|clients] [reach|find|contact] [the adapter|the API|Farmhand|the OpenAI API]
        what [is|would be] the [default|standard|usual] {port} of [Farmhand|the adapter|the API server]
        the adapter [occupies|binds|opens|claims] which {port}
        what {port} [is|gets] [opened|claimed|taken] by [the adapter|Farmhand]
    """,
    "port-litellm": """
        [what|which] port does {litellm} use
        [what|which] port does {litellm} [use|listen on|run on|have]
        [what|which] port is {litellm} [on|using|listening on]
        {litellm} port [please|number|pls|]
        [on|at|under] [which|what] {port} [can|could|would|will|do] I [find|reach|contact|see] [LiteLLM|the LiteLLM proxy|litellm|the proxy]
        which {port} [belongs to|is assigned to|is reserved for|is used by|goes with] [LiteLLM|the LiteLLM proxy|litellm|the proxy]
        [tell me|give me|state|name] the {port} [LiteLLM|the LiteLLM proxy|the proxy] [is listening on|listens on|uses|runs on]
        [litellm|the proxy|LiteLLM][:|,] [which|what] {port}
        LiteLLM's {port}
        where does [LiteLLM|the proxy|the LiteLLM proxy] accept connections
        what {port} should I expect [LiteLLM|the proxy] on
    """,
    "port-openclaw": """
        [what|which] port does {openclaw} use
        [what|which] port does {openclaw} [use|listen on|run on|have]
        [what|which] port is {openclaw} [on|using|listening on]
        {openclaw} port [please|number|pls|]
        [on|at|under] [which|what] {port} [can|could|would|will|do] I [find|reach|contact|see] [OpenClaw|the OpenClaw gateway|openclaw|the gateway]
        which {port} [belongs to|is assigned to|is reserved for|is used by|goes with] [OpenClaw|the OpenClaw gateway|openclaw|the gateway]
        [tell me|give me|state|name] the {port} [OpenClaw|the OpenClaw gateway|the gateway] [is listening on|listens on|uses|runs on]
        [openclaw|the gateway|OpenClaw][:|,] [which|what] {port}
        [OpenClaw's|the gateway's|openclaw's] {port}
        where does [OpenClaw|the gateway|the OpenClaw gateway] [accept connections|listen for connections]
        what {port} should I expect [OpenClaw|the gateway] on
    """,
    "port-inferrlm": """
        [what|which] port does {inferrlm} use
        [what|which] port does {inferrlm} [use|listen on|run on|have]
        [what|which] port is {inferrlm} [on|using|listening on]
        {inferrlm} port [please|number|pls|]
        [on|at|under] [which|what] {port} [can|could|would|will|do] I [find|reach|contact|see] [InferrLM|the InferrLM app|inferrlm]
        which {port} [belongs to|is assigned to|is reserved for|is used by|goes with] [InferrLM|the InferrLM app|inferrlm]
        [tell me|give me|state|name] the {port} [InferrLM|the InferrLM app] [is listening on|listens on|uses|runs on|serves on]
        [inferrlm|InferrLM][:|,] [which|what] {port}
        InferrLM's {port}
        where does [InferrLM|the InferrLM app] [accept connections|accept requests|listen for requests]
        what {port} should I expect [InferrLM|the InferrLM app] on
    """,
    "port-localllm": """
        [what|which] port does {localllm} use
        [what|which] port does {localllm} [use|listen on|run on|have]
        [what|which] port is {localllm} [on|using|listening on]
        {localllm} port [please|number|pls|]
        [on|at|under] [which|what] {port}[s|] [can|could|would|will|do|may] [I|] [find|reach|contact|see|be found] [LocalLLM|the LocalLLM app|localllm]
        which {port}[s|] [belong to|belongs to|is assigned to|are used by|is used by|goes with] [LocalLLM|the LocalLLM app|localllm]
        [tell me|give me|state|name] the {port}[s|] [LocalLLM|the LocalLLM app] [is listening on|listens on|uses|runs on|serves on]
        [localllm|LocalLLM][:|,] [which|what] {port}
        LocalLLM's {port}[s|]
        where does [LocalLLM|the LocalLLM app] [accept connections|accept requests|listen for requests]
        what {port} should I expect [LocalLLM|the LocalLLM app] on
    """,
    "ports-all": """
        [could|can|would] you [list|name|give me|tell me|enumerate] [every|all|each|the] [port|ports|port number] [involved|used|in use|that is used|]
        I [need|want|would like] [a table|a list|an overview|a summary] of [all|the] ports
        which ports [does Farmhand and its companions|do all the services|do the different services|do the various parts] use
        [which|what] [service|component] [uses|sits on|has] which port
        what are the ports of [each|every|all the] [service|component|engine|services|parts]
        tell me all ports [at once|together|]
    """,
    "base-url": """
        what [do|should|must] I [fill in|enter|type|put|set|configure|use] as [OpenAI |the ][base URL|API base|API URL|base_url|server address]
        what's the [URL|web address|http address|base address|full URL] of [the API|the server|Farmhand's API|the OpenAI API]
        [which|what] URL [should|do|must] [requests|my requests|clients|API calls] [go to|be sent to|use|target]
        [could|can] you [give|tell] me the [base URL|API URL|base address]
        [my|the] [client|app|SDK] [asks for|wants|needs] [a|the] base [url|address]
        what is {name}'s [base URL|API URL|address|URL]
    """,
    "change-port": """
        [I'd|I would] [rather|prefer to|like to] [have|run|use|put] {name} on [port|] [9090|9000|8000|7777|5555|a different port][, how|]
        is there [a way|an option|any setting] to [make|have|let] [the adapter|{name}|the server] [use|listen on|run on|take] [some other|another|a different|a custom] port
        [which|what] [setting|option|config key|flag] [determines|decides|controls|defines] [the port|which port is used|on which port it listens]
        how [would|can|could] [I|one] [assign|give] [the adapter|{name}|the server] [another|a different|a new] port
        can the adapter [be moved to|be put on|use|listen on] [another|a different|some other] port
        [where|how] is the [adapter's |]port [configured|set|defined]
    """,
    "port-in-use": """
        [startup|start|launching|the adapter|it|the server] fails [saying|because|with the message|since] the [address|port] is [already in use|taken|occupied|in use]
        what if [something else|another program|another process|some other app] [already |][occupies|uses|blocks|has|holds|is using] [8888|port 8888|the port|my port]
        [another|some other|a different] [process|app|service|server] [is already|is] [running|listening|sitting] on [8888|port 8888|the same port|the adapter's port]
        how do I [resolve|solve|handle|fix] [a port conflict|"address already in use"|an occupied port|a busy port]
        the port [farmhand|the adapter] wants is [not available|taken|occupied|not free]
        what should I do [when|if] the adapter's port is [occupied|taken|busy|already used]
    """,
    "bind-host": """
        [is it possible|would it be possible] for [my tablet|another device|my laptop|other devices|a second phone|my TV] on the same [Wi-Fi|wifi|network|LAN] to [use|reach|access] [the server|{fh}|the API]
        does {fh} [accept|allow|take|permit] [connections|requests|traffic] from [other machines|other devices|other hosts|outside|the network|elsewhere|the LAN]
        [from where|by whom] [can|may] the [server|API|adapter] be [reached|accessed|used|contacted]
        how [can|do] I make [the server|the API|{fh}] [available|reachable|visible|accessible] [to|for] [other devices|others|my network|the LAN|other machines|everyone at home]
        [which|what] [address|network address|interface] does the [adapter|server|API] bind to [by default|]
        is the [server|API|adapter] [only |]reachable [from|on] [the phone itself|localhost|loopback|the network]
    """,
    "engines": """
        [what|which] [kinds|types|sorts] of [engine|engines|backend|backends] does {name} [know|have|support|offer|understand|work with]
        [which|what] [engines|backends] can [produce|generate|give|create|write] [the |][answers|text|replies|responses]
        [which|what] engine [kinds|types] [can|may] I [configure|choose from|use|choose|set]
        [could you |please |][list|name|tell me] the [four |][engines|engine kinds|kinds of engines|different engines]
        through which engines [can|does] {name} [answer|reply|respond]
        what [options|choices] do I have for [the engine|engines|an engine|backends]
    """,
    "engine-inferrlm": """
        what [is|does] that {inferrlm} [thing|app|] [do|about|]
        how does {name} [make use of|work with|use|talk to|cooperate with|interact with] {inferrlm}
        [please |could you |]explain [what {inferrlm} is|{inferrlm} to me|{inferrlm}]
        what [part|role] does {inferrlm} [play|have]
        [which|what] [kind|sort] of [thing|software|program|application] is {inferrlm}
        what's {inferrlm} [all about|there for|good for]
        [describe|define] [the inferrlm engine|{inferrlm}]
        through which API does {name} talk to {inferrlm}
    """,
    "engine-localllm": """
        [and |]what [is|does] [that |]{localllm} [thing|app|] [do|about|]
        how does {name} [make use of|work with|use|talk to|cooperate with|interact with] {localllm}
        [please |could you |]explain [what {localllm} is|{localllm} to me|{localllm}]
        which [app|program|engine] [handles|runs|executes|loads|takes care of] LiteRT[-LM|] [models|files]
        [which|what] [kind|sort] of [thing|software|program|application] is {localllm}
        what's {localllm} [all about|there for|good for]
        [describe|define] [the localllm engine|{localllm}]
    """,
    "engine-llama": """
        [tell me|explain|describe] what the [embedded|built-in|llama|internal] engine is
        what does the [llama|embedded] engine [consist of|use|contain|build on|rely on]
        what [does|is] the engine [named|called] llama [consist of|do|made of|]
        [which|what] engine [is used|answers|remains|is left] when [no app is there|no app is running|all apps fail|everything else fails|nothing else is available]
        [which|what] [library|software] [powers|drives|is inside|runs] the [embedded|llama|built-in] engine
        what kind of engine is llama
        what is the safety net engine
        [does|is] [llama.cpp|llama-cpp-python] [part of farmhand|built in|included|embedded]
    """,
    "engine-openai": """
        can {name} [hand|pass|forward|send|delegate|relay] [requests|prompts|my requests] [over |on |]to [my|an|a] [Ollama box|Ollama|vLLM server|LM Studio|llama-server|server at home|remote server|workstation]
        what's the openai engine [good for|there for|used for|about]
        [is it possible|would it be possible] to [use|include|attach] [Ollama|vLLM|LM Studio|an external server|another OpenAI server]
        [which|what] [servers|backends|services] [work with|are compatible with|can be used through] the openai engine
        what does an engine of kind openai do
        [how about|what about] [Ollama|vLLM|LM Studio|external servers]
        with which engine [can|do] I [use|reach] [Ollama|vLLM|LM Studio|another server]
    """,
    "engine-echo": """
        what's [the |]echo [engine |][there for|good for|about|used for]
        is there [some|any|an] engine that [needs|uses|requires|has] no model [at all|]
        what [purpose|use] does the echo engine [have|serve]
        [which|what] engine [should|can|do] I use [for tests|for testing|when I have no model|without any model]
        [describe|define|explain] the echo engine
        how does [the engine called |]echo answer
    """,
    "engine-order": """
        which engine does {name} [prefer|favour|try first|choose first|like best|go for first][, and why|]
        does [it|{name}] [make use of|take advantage of|benefit from|employ] [the phone's |the |][GPU|NPU|GPU or NPU|graphics chip|neural processor|accelerators]
        why [are|do] [the |][native apps|apps] [preferred|come before the llama engine|tried first|used first|come first|take precedence]
        [which|what] [comes|goes|is asked] first, [the apps or the embedded engine|native apps or llama|the app or llama]
        [which|what] engines have access to the [GPU|NPU|accelerator]
        what is the [order|priority] [in which|by which] engines are [tried|chosen|picked|used]
        how can the [GPU|NPU] be [used|reached]
        is there [any |]hardware acceleration
    """,
    "add-engine": """
        how [would|could|can|do|might] I [register|add|declare|include|introduce|define] [an additional|another|one more|a further|a new|an extra] [engine|backend]
        what [should|do|must] I [write|put|enter] in [config.toml|the config|the config file] to [add|get|have|define] [one more|another|a new|an additional] [backend|engine]
        [show|give] me [an example of |][an engine entry|an engine definition|how an engine is configured|how to define an engine]
        where in the config [do|are] [engines|I define engines|backends] [go|listed|defined|]
        how do I [tell|teach] {name} [about|to use] [a new|another|my] [engine|backend|server]
        how is [a new|an additional] engine [set up|configured|declared]
    """,
    "worker-process": """
        why does [llama|the llama engine|the embedded engine] [live|run|sit|work] in [a separate|its own|a different|another|a child|a worker] process
        if [native |the ][llama |native |]code [segfaults|crashes|aborts], does the [API|adapter|server] [go away|go down|die|crash too]
        what [is|would be] the [reason|advantage|benefit|point] of [the separate process|a worker process|running llama in its own process|the llama worker|a child process]
        [will|can|does] a [crashing|crashed|dying|failing] [llama|engine|worker|native library] [affect|harm|stop|take down|hurt] the [API|adapter|server]
        what if the [embedded|llama] engine [runs out of memory|gets killed|is OOM killed|crashes]
        how is the API [protected|shielded|kept safe] from [llama crashes|crashes of the llama engine|native crashes]
        why isn't llama [inside|part of|in] the adapter process
    """,
    "tools-schemas": """
        [is|are] [function calling|tool calling|tool use|functions|tools] [supported|possible|available|offered|working] [with every engine|on all engines|]
        can I [demand|request|require|force|get|ask for] [JSON|output|answers|a reply] [that matches|matching|following|according to|conforming to] [my|a] [JSON |][schema|format]
        [will|do|does] [tools|function calls|tool calls|schemas|structured output] [work|function] [if|when|even if|although] [the app|an app|the engine] [has none|lacks them|does not support them|doesn't know them]
        on which engines [do|can] [tools|JSON schemas|schemas|function calls] [work|be used]
        does {name} [emulate|support|offer|provide] [tools|function calling|schemas|tool calls]
        is [structured|schema-bound] output [possible|supported|available]
        can my agent [use|call] tools
    """,
    "prefix-cache": """
        [does|is|will] my [agent's |][huge|long|large|big|giant] [system |][prompt|prefix] [get |be |][recomputed|processed|evaluated|read] [for every call|each time|again and again|on every request|every time]
        how are [long|large|huge|agent|very long] prompts [made cheap|made fast|sped up|accelerated|handled quickly] [the second time|later|afterwards|]
        [how|does] {name} [avoid|avoids|prevent] [recomputing|re-reading|reprocessing] [long prompts|the same prompt|a system prompt|prefixes]
        [is|are] [prompt prefixes|the prompt prefix|prefixes|processed prompts] [cached|stored|kept|saved|remembered|reused]
        what happens to [the prefix|prefixes|the prompt prefix] of [a|my] [prompt|long prompt]
        do I [pay|wait] for [a|the] long prompt [every time|only once|each time]
        does {name} have [a |][prompt|prefix|KV] [cache|caching]
    """,
    "slots": """
        what does the [slots|"slots"] [option|setting|key|value|number] [control|mean|do|determine|set]
        how many [requests|chats|conversations|answers|users] [can|does|could] the [embedded|llama|built-in] engine [handle|answer|serve|process|take] [in parallel|simultaneously|at the same time|at once|together|concurrently]
        [what|which] [setting|option|key] [determines|decides|controls|says] how many [requests|answers] [run|are answered] [in parallel|at once|at the same time]
        [what|explain] [are|] slots [for|in the config|of the llama engine|]
        can the [llama|embedded] engine [serve|answer|process] [more than one|several|multiple|four] [requests|clients|users] [at once|in parallel|at the same time|simultaneously]
    """,
    "ctx-tokens": """
        how [do|can|could|would] I [give|get|grant|allow] [the llama engine|the embedded engine|a slot|the model|llama] a [bigger|larger|longer|wider|smaller] context [window|length|]
        what's the ctx_tokens [option|setting|key|value] [for|]
        what does [the option |the setting |the key |]ctx_tokens [control|mean|determine|specify|define|stand for]
        [which|what] [option|setting|key] [determines|controls|decides|sets] [how long|how large|how big] the context [is|may be|can be|of a slot is]
        how [many|much] [tokens|context] does [one|a|each] slot [have|get|hold|offer]
        where is the [context length|context size|context window] [configured|set|defined]
        can the context [window|length|size] be [increased|enlarged|extended|made longer|raised]
    """,
    "queue": """
        [two|several|three] [clients|users|apps|requests] [send a request|ask something|arrive] [to InferrLM|at an app|] [simultaneously|at the same time|at once], what happens
        how does {name} [queue|line up|order|schedule|handle] [requests|waiting requests|concurrent requests|several requests|parallel requests]
        what [happens|is done] [to|with] [waiting requests|further requests|other requests|a second request] while [one is answered|the app is busy|an app answers|one is running]
        [how many|does more than one] [requests|request] [fit|does an app take|can InferrLM process|can LocalLLM process] at [once|a time|the same time]
        what [happens|is the effect] [when|if] a client [disconnects|leaves|goes away|hangs up|gives up] [early|before the answer|in the queue|while waiting|]
        [is|are] requests [served|answered|treated|handled] [fairly|in turn|one after another|in order]
        what if the [app|engine] is busy with [another|someone else's] request
        will a second [client|request] have to wait
    """,
    "vision-embeddings": """
        [am I able|is it possible|would it be possible] to [send|upload|use|attach|include] [pictures|images|photos|an image|a picture|screenshots] [to it|]
        [are|does it support|does {name} support|can I use] [embeddings|images|pictures|vision|image inputs] [supported|available|]
        [which|what] [engine|engines] [gets|handles|takes|processes|answers] [image requests|images|embeddings|embedding requests|pictures|vision requests]
        what does {name} do with [images|pictures|photos|embedding requests|embeddings]
        how [are|does farmhand handle] [images|embeddings|vision requests|pictures] [handled|routed|processed|]
        can {name} [compute|produce|create|deliver|calculate] embeddings
        [can|does] the model [see|look at|understand|describe] [pictures|images|photos]
    """,
    "memory": """
        [might|could|will|can] loading a [large|big|huge|heavy] model [get|make|cause] [Farmhand|Termux|it|Android] [killed by Android|killed|kill it|to be killed|crash]
        does [it|{name}] [look at|check|consider|measure|test] [the |][free |available |remaining |][RAM|memory] [prior to|before|ahead of|when] loading [a model|models|]
        what [precaution|check|measure] [is taken|does farmhand take|happens] [before|prior to] [a model is loaded|loading a model]
        how does {name} [make sure|ensure|know|see to it] that [there is enough memory|a model fits|memory suffices|Android doesn't kill it]
        what does {name} do about [memory|RAM|limited memory|scarce RAM]
        is there a [memory|RAM] check [before a model is loaded|]
    """,
    "heat": """
        what does {name} do [once|when|if|as soon as] the [device|phone|handset] [overheats|gets hot|heats up|becomes too warm|gets too hot|runs hot]
        my [Pixel|phone|device|handset] is [getting|becoming|running] [really |very |quite |too |][hot|warm], [is that handled|what happens|what does farmhand do|is that a problem|will farmhand react]
        how does {name} [react|respond|adapt] [to|when] [rising temperature|temperature|heat|the phone heats up|it gets hot]
        [is|does] the [temperature|heat|phone's temperature] [watched|monitored|considered|matter|measured]
        [will|does] {name} [pause|slow down|stop|throttle] [when|if] [it's hot|the phone is hot|the phone gets too hot|temperatures rise]
        what if the phone [heats up|becomes hot|overheats] [during a long answer|in summer|]
    """,
    "battery": """
        what [if|happens if|happens when|does farmhand do when] my battery is [running low|nearly flat|getting low|almost drained|low]
        does {name} [pay attention to|look at|take care of|consider|monitor|watch|respect|notice] [the |my |][battery|battery level|charge level|charge|state of charge]
        how does {name} [react|respond|behave] [to|when|on|with] [a low battery|low charge|the battery is low|little battery left|battery is almost empty]
        [will|does] {name} [pause|slow down|stop|throttle] [when|if|on] [the battery is low|low battery|the battery gets low|the charge drops]
        [can|will] [it|{name}] [empty|drain|exhaust] [my|the] battery
        what should I do [when|if] the battery is low
    """,
    "cores": """
        [which|what] [CPU |processor |]cores [will|does|do|are used by] the [llama|embedded] engine [run on|use|compute on|occupy|]
        are the [little|small|efficiency|slow|big|fast|performance] cores [used|busy|employed] [as well|too|]
        on which [cores|part of the CPU|CPU cores] [does|is] the [llama engine|model|computation|embedded engine] [run|done|compute|executed]
        does [llama|the llama engine|the embedded engine|it] [use|employ|occupy] [every|all|each|only some] [core|cores|CPU core|of the cores]
        how does the llama engine use the [CPU|processor]
        which cores [do the work|compute|are busy]
    """,
    "slow": """
        [answers|replies|responses] take [ages|forever|minutes|very long|too long], [what might help|what helps|what can I do|why]
        how [could|can|would|might] I [speed things up|make it quicker|get quicker replies|improve the performance|get faster responses|accelerate it]
        [why|what's the reason that] [are|do] [answers|replies|responses|my answers] [so slow|take so long|come so slowly]
        what [helps|can be done|would help] [against|with|when] [slow answers|slowness|slow generation|answers are slow]
        [it|generation|the model|everything] [feels|seems|is getting] [sluggish|very slow|too slow]
        how do I get [more speed|better performance|quicker answers]
        what makes [it|answers] [faster|quicker]
    """,
    "wake-lock": """
        what's the wake [lock|-lock] [for|good for|about|needed for]
        how does {name} [prevent|stop|keep|hinder] [Android|the phone|Termux] from [sleeping|falling asleep|dozing|suspending it|going to sleep]
        [why|for what reason] [is|does farmhand take] [a wake lock needed|the wake lock|a wake lock held|a wake lock]
        what [happens|would happen] [without a wake lock|when the screen goes off|when the phone goes to sleep|when I lock the phone]
        [who|which part|which process] [is responsible for|takes care of|keeps] the wake lock
        [will|does] {name} [keep running|continue|stay alive|keep answering] [when|while|if] the [screen|display] is [off|dark|locked]
        [describe|define|explain] the wake lock
    """,
    "supervisor": """
        what's the [supervisor's|supervisor] [job|role|task|for|purpose]
        which [part|process|component|piece] [watches over|keeps an eye on|monitors|looks at] [battery and temperature|battery, heat and memory|the battery and orders the services|heat and battery|the services]
        what [is|does] the [process|component|program|part] [called|named] supervisor [do|responsible for|for]
        [please |could you |]explain [what the supervisor is|the supervisor to me|what the supervisor does|the supervisor's duties]
        [which|what] [tasks|duties|jobs] [does|has] the supervisor [have|perform|do|]
        what is the supervisor [responsible|there|good] for
        [describe|define] the supervisor
    """,
    "supervisor-dies": """
        is [an|my|the] answer [lost|interrupted|cut|broken|affected] [when|if] the supervisor [gets killed|is killed|dies|crashes|stops]
        what would happen [if|when] the supervisor [crashed|died|was killed|stopped|failed|disappeared]
        does [a running|an ongoing|a] [answer|request|stream] [survive|continue|go on] [when|if|after] the supervisor [dies|is killed|crashes]
        [suppose|assume] the supervisor [dies|crashes|gets killed]
        [what|which] [effect|consequence|consequences|impact] does [killing|the death of|a crash of|restarting] the supervisor have
        is [killing|restarting|stopping] the supervisor [harmful|a problem|safe|dangerous]
        what becomes of [running answers|requests] when the supervisor [dies|goes down]
    """,
    "runit": """
        what [does|is] runit [do|for|used for|good for] [here|in farmhand|on the phone|]
        which [tool|program|software|system] [keeps|holds] the services [alive|running|up]
        [what|which] [tool|program|supervision system|process supervisor] [restarts|revives|supervises|looks after] [crashed services|dead services|the services|each service]
        [please |could you |]explain [what runit is|runit to me|runit|the role of runit|termux-services]
        how does {name} [use|work with|cooperate with] [runit|termux-services]
        what [part|role] does [runit|termux-services] play
        what does termux-services [do|provide]
    """,
    "start-order": """
        in [which|what] [sequence|order|succession] are the services [brought up|started|launched|booted|stopped]
        what [gets|is|will be] [started|launched|brought up] first[, and what last|, what last|]
        which [service|part|component|one] [is|gets|comes] [started |launched |up |][first|last|second|before the others|next]
        [tell me|describe|explain|what is] the [order|sequence] [of starting|of the start|of startup|in which the services start|in which services are started]
        what comes [first|after the adapter|before openclaw|before LiteLLM|last] [when starting|at startup|during startup]
        does [OpenClaw|LiteLLM|the adapter] [come up|get started|start] [first|last|before LiteLLM|after LiteLLM|before OpenClaw]
    """,
    "crash-loop": """
        what does {name} do [about|with|when|if] a service [that |][crashes|dies|fails|crashing|failing] [over and over|again and again|repeatedly|all the time|constantly]
        [my|the] [litellm|openclaw|adapter|LiteLLM|OpenClaw] [service |][keeps|is] [dying|crashing|failing|falling over], [will it be retried endlessly|what happens|will it be restarted forever|does farmhand give up]
        is a [crashing|failing|broken|faulty] service [restarted|retried] [endlessly|forever|for ever|without end|again and again]
        [when|how often|how long] [does|will] [{name}|it] [stop restarting|retry|keep restarting|try to restart] a [service|crashing service|broken service]
        what happens [to|with] a service that [never stays up|can't stay up|constantly crashes|dies right away]
        how does {name} [treat|handle|deal with] [crash loops|a crash loop|repeated crashes|services that keep crashing]
    """,
    "boot": """
        how [can|could|do] [{name}|I make farmhand] [come up|start|launch|come back] [by itself|on its own|automatically] [after|when] [the phone reboots|a reboot|a restart of the phone|rebooting|the phone is restarted]
        does [it|{name}] [launch|start|come back|run] [automatically|by itself|on its own] [at startup of the phone|when I turn on the phone|after a reboot|after power on|when the phone boots]
        what [do I need|must I install|is needed|is required] [for|to have] [autostart|automatic start|starting at boot|farmhand start at boot]
        [will|is] {name} [be |][running|up|back] [again |][after|when] [I reboot|a reboot|I restart my phone|the phone restarts]
        [which|what] [app|add-on|package|tool] [is responsible for|takes care of|does] [starting farmhand|the start] [at boot|after a reboot]
        what do I have to do after [rebooting|restarting] the [phone|device]
    """,
    "signal-9": """
        my [Termux|terminal] [session|window] [shows|says|displays|ended with|died with] ["Process completed (signal 9)"|"signal 9"|process completed signal 9], [why|what is that|what does it mean|what now]
        how [can|do|could] I [switch off|turn off|disable|stop|deactivate|avoid] [Android's |the |][phantom process killer|phantom process limit|killing of background processes|child process limit]
        [why|what's the reason that] [does|do] Android [kill|keep killing|terminate|shoot] [my|the] [background |child |][processes|services|programs]
        what [is|does] the phantom process killer [do|]
        [what|which] [option|setting|switch] [prevents|stops|keeps] Android from killing [child processes|background processes|my processes|the worker]
        processes [get|are being|are] killed [with|by] signal 9
        what does signal 9 [mean|tell me|indicate]
    """,
    "battery-setting": """
        [which|what] battery [option|setting|mode|usage|level of restriction] [should|must|does] [Termux|the Termux app] [get|have|need|be set to] [in Android settings|in the settings|]
        do I [have|need] to [exempt|exclude|free|whitelist] Termux from battery [optimization|optimisation|saving|restrictions]
        [how|what] [should|must|do] I [set|configure|choose] [in Android|in the Android settings|in the phone's settings|for the battery use of Termux]
        [what|which] Android settings [help|matter|should I change|need changing|are important]
        what [about|to do about] Android's battery [optimization|optimisation|saver|management]
        how do I stop [battery optimisation|battery saver|battery optimization] from [hurting|killing|stopping] [Termux|it|{fh}]
    """,
    "commands": """
        [which|what] [subcommands|commands] [does|can|do] [farmhand|the farmhand command|the cli|the command line] [offer|have|provide|know|understand|support]
        [list|name|show|tell me|enumerate] the [available|existing|possible|different|various] [commands|subcommands]
        [could|can] you [list|name|tell me|show me] [all|the|every] [farmhand |][commands|subcommands|command]
        what [commands|subcommands] [come|are there] [with farmhand|]
        what is the [full|complete|whole] [set|list] of commands
        what can I [do|run] [with the farmhand command|on the command line|from the command line]
    """,
    "cmd-serve": """
        how [can|do|could|would] I [run|start|launch] [nothing but|only|just] the [adapter|API|API server] [in the foreground|]
        what does [the command |]farmhand serve do
        [which|what] command [runs|starts|launches|gives me] [only|just|nothing but] the [adapter|API] [in the foreground|]
        I [only |just |][want|need] the [adapter|API][, nothing else|, without the rest|, not the whole bundle|]
        what is [farmhand serve|the serve command] [good for|there for|used for|about]
        can I [run|start] the adapter [on its own|by itself|separately|without the supervisor|standalone]
    """,
    "serve-options": """
        [which|what] [flags|options|arguments|switches|parameters] can I [hand|give|pass|add] to [farmhand serve|serve|the serve command]
        what command line [options|flags|arguments] does [farmhand |][serve|farmhand serve] [understand|accept|have|know|offer]
        [can|how do] I [give|pass|tell] [farmhand serve|serve] [a host|another host|a port and a host|a config file|a different config file]
        [list|name|tell me] the [flags|options|arguments|parameters] [of|for] [farmhand serve|serve]
        what may follow [after |]farmhand serve
    """,
    "cmd-up": """
        [how do I|how can I] [start|launch] [all of|the whole of] {name}
        what's the command [for starting|to start|that starts|to launch|for launching] [the whole bundle|everything|all services|the bundle|all of it]
        how [can|could|do|would] I [launch|start|bring up|boot|run] [all of the services|all the services|the entire bundle|the complete bundle|the full stack|every service|the whole lot]
        what does [the command |]farmhand up do
        [which|what] command [brings|gets] [everything|all services|the bundle|the whole bundle] [up|going|running]
        what is [farmhand up|the up command] [good for|there for|used for|about]
        I want to [start|launch|bring up] [everything|the whole bundle|all services][, which command|, how|]
    """,
    "cmd-down": """
        how [can|could|do|would] I [stop|shut down|end|halt|switch off] the [whole thing|entire bundle|complete bundle|lot|bundle again|whole lot|services]
        [which|what] command [shuts|takes|brings] [the bundle|everything|all services|the whole bundle|all] down
        what does [the command |]farmhand down do
        [which|what] command [stops|ends|halts] [everything|all services|the bundle|the whole bundle|it all]
        what is [farmhand down|the down command] [good for|there for|used for|about]
        I want to [stop|shut down|turn off] [everything|the whole bundle|all services][, which command|, how|]
        how do I [shut|close|power] {name} down
    """,
    "restart": """
        how [can|is|do I get] {name} [be |][restarted|to restart]
        what's the [way|command|right way|procedure] to restart [Farmhand|everything|the bundle|the services|all of it]
        I [edited|changed|modified|updated] [the config|config.toml|my settings|the settings], how [can|do] I [restart|restart everything|make it take effect|apply the change|reload]
        how [can|could|would] I [restart|relaunch] [all services|the services|everything|the whole bundle|the bundle|Farmhand]
        [which|what] command[s|] [restart|restarts|do I need to restart] [everything|the bundle|Farmhand|all services]
        I [want|need|have] to restart [everything|Farmhand|the bundle|it]
        how do [changes|config changes|new settings] take effect
    """,
    "cmd-status": """
        how [can|could|do|would] I [see|check|tell|find out] which [of the |][services|service] [are|is] [running|up|alive|ready|working]
        what does [the command |]farmhand status [tell me|show|do|print|display|report]
        [which|what] command [tells me|shows|reports|prints] [which services are up|what is running|whether everything runs|the state of the services|if the services are ready]
        what is [farmhand status|the status command] [good for|there for|used for|about]
        [is there a way|how] to [see|check] [whether|if] [the services|everything|all services|the adapter] [are|is] [up|running|ready]
        I want to [know|see|check] [if|whether] [everything|the bundle|Farmhand] is [running|up]
    """,
    "cmd-logs": """
        where [can|could|do] I [look at|read|view|inspect|find|see] the [log output|logs|log files|logging output|service logs]
        [which|what] command [prints|shows|displays|outputs|gives me] the [logs|log output|log|service logs]
        what does [the command |]farmhand logs [do|show|print|display]
        how [can|could|would] I [look at|read|view|inspect|see|check] the [logs|log|log output|service logs]
        what is [farmhand logs|the logs command] [good for|there for|used for|about]
        I [want|need] to [read|see|look at|inspect] [the logs|what the services logged|the log output]
    """,
    "cmd-doctor": """
        [something's|something is] [broken|not working|wrong|off|failing], which command [tells me what|tells me why|helps|finds the problem|explains it]
        what is [farmhand doctor|the doctor command] [good for|there for|used for|about]
        what does [the command |]farmhand doctor [do|tell me|check|report|say]
        [which|what] command [helps|should I run|do I run|can I use] [when something is broken|to find the problem|when things go wrong|to diagnose problems|if something fails|with troubleshooting]
        how [can|could|do|would] I [diagnose|find|track down|analyse] [a fault|the problem|what is wrong|a problem|problems|an issue]
        [how do I|which command helps me] [find out|learn] [why it doesn't work|what's wrong|what is broken]
        what should I [do|run|type] [when|if] [something goes wrong|something is broken|Farmhand doesn't work|it doesn't work]
    """,
    "cmd-token": """
        what is [farmhand token|the token command] [good for|there for|used for|about|for]
        what does [the command |]farmhand token do
        can I [have|make|create|get] [API |][keys|tokens] [that expire|with an expiry|which expire|with a name|with limited scope|that are scoped]
        [is|are] [expiring|named|scoped] [keys|tokens] [possible|supported|available]
        [which|what] command [makes|creates|generates|handles|manages] [API keys|keys|tokens|new keys]
        what [sorts|types|kinds] of [API |]keys [are there|can be made|exist]
    """,
    "cmd-models": """
        how [can|could|do|would] I [find out|see|learn|check] [which|what] models [are available|there are|I can use|I can ask for|exist|are offered]
        what does [the command |]farmhand models [print|show|do|list|display]
        what is [farmhand models|the models command] [good for|there for|used for|about]
        [which|what] command [lists|prints|shows] [the |all |available |][models|model names]
        [is there|do you have] [a list|an overview] of [the |available |][models|model names]
        [which|what] models [does farmhand offer|may I use|can I choose from|can I pick|are on offer|does it serve]
    """,
    "cmd-chat": """
        can I [talk|chat|speak] [to|with] [a|the] model [right |directly |][in|from] [the|my] [terminal|shell|command line|console]
        what does [the command |]farmhand chat do
        what is [farmhand chat|the chat command] [good for|there for|used for|about]
        [which|what] command [lets me chat|starts a conversation|do I use to chat|lets me talk to a model] [in the terminal|]
        how [can|could|would] I [talk|chat] [to|with] [a|the] model [in the terminal|from the command line|without a client|in Termux]
        is there [a way|a command] to chat [in|from] the [terminal|command line|shell]
    """,
    "cmd-connect": """
        [which|what] command [prints|shows|outputs|gives me|lists] the [settings|configuration|details|values] [a client needs|for a client|my client needs|that a client needs]
        what is [farmhand connect|the connect command] [good for|there for|used for|about]
        what does [the command |]farmhand connect [do|print|show|display]
        how [can|could|do] I [get|see|print] the settings [for|that] [a client|my client|my client needs|an app needs]
        [what|which] command helps me [configure|set up] a client
    """,
    "script-setup": """
        what's scripts/setup [for|good for|about|there for]
        what does [the script |]scripts/setup do
        [which|what] script [creates|makes|builds|sets up] the [virtual environment|venv|virtualenv|environment]
        [which|what] script [installs|fetches] [everything|the dependencies|what is needed|all dependencies]
        [may|can|should] [scripts/setup|the setup script] be [run|called|executed] [again|repeatedly|twice|several times]
        how do I [prepare|set up] [a clone|a fresh clone|a checkout|the repository]
    """,
    "script-up": """
        what [does|is] [the script |]scripts/up [do|for|good for|there for]
        from a [clone|checkout|git clone|source tree], which script [starts|runs|launches] [the main job|farmhand|it|everything]
        [which|what] script [starts|runs|launches] [the main job|the main program]
        [which|what] script [both |]sets up [a clone |][and runs|and starts] [it|the main job|farmhand]
        how do I [run|start] [the main job|farmhand] from [a clone|the repository|source]
    """,
    "script-test": """
        how are [the|all] tests [run|started|executed|launched]
        [which|what] script [executes|runs|starts|launches] the [test suite|tests|whole test suite]
        what [does|is] [the script |]scripts/test [do|for|good for|there for]
        [where|how] [can|do] I [run|start|execute] [the|all] [tests|test suite]
        I want to run the [tests|test suite]
        what do I [run|execute] to [test|check] [the code|a clone|my changes|everything]
    """,
    "first-steps": """
        how do I [get going|begin|get started|start out|start] with {name}
        [walk|guide|take|talk] me through [the installation|the setup|setting it up|the first steps|installing it|installation]
        [which|what] steps [do I|must I|should I|are needed to] [take|follow|do|get it running|install farmhand|go through]
        how [can|do|would] I [install|set up|deploy|put] {name} [on my phone|on the phone|on a new phone|from scratch|]
        what [are|would be] the [first|initial|necessary|required] steps
        I [just |]got a [new |][phone|Pixel], how do I [install|set up] {name}
        what's [needed|the procedure|the process] to [get farmhand running|install farmhand|set farmhand up]
    """,
    "config-file": """
        where [can|could|do|would|will] I [find|locate|look for|see] [Farmhand's|the] [configuration file|config file|configuration|settings file|settings]
        what's the [location|path|place|full path|default path] of [config.toml|the config file|the configuration|the configuration file]
        in [which|what] [file|place|path|location] [does farmhand keep|are|is] [its configuration|its config|its settings|the settings|the configuration]
        [from|out of] [which|what] file does {name} [read|load|take] its [settings|configuration|config]
        where [does|should] [config.toml|the config file|my config] [live|go|belong|be placed|reside|lie]
        [which|what] file [must|should|do] I edit to [configure|customise|set up|change settings of] {name}
    """,
    "env-override": """
        can [environment variables|env vars|the environment] [override|overrule|replace|change|beat] [the configuration|the config|config keys|settings|values from the config file]
        how [do|can|could|would] I [override|overrule|set|change|replace] [a|any|one] [config key|setting|config value|option] [from|through|via|with|using] [the environment|an environment variable|env vars|environment variables]
        [which|what] [environment variable|env var|variable] [do I set|sets|overrides|is for] [to override a key|a config key|to change a setting|a setting]
        [how are|what are] the environment variables [for the config|for config keys|called|named]
        is it possible to [set|override|change] [config keys|settings] [through|via|with] [environment variables|env vars|the environment]
        what [form|pattern|shape] do the [environment variables|env vars|overriding variables] have
    """,
    "state-folder": """
        in [which|what] [directory|folder|place|path] does {name} [keep|store|save|hold|put] [its state|its data|models and keys|the keys|everything|models|its files]
        where on [disk|the disk|the phone|storage] do [downloaded models|models|keys|the models|my keys|KV files] [go|end up|live|lie|land]
        what's the [location|path|place] of the [state folder|state directory|data directory|state|models|keys]
        where [can|do|could] I [find|locate] the [models|stored models|keys|state|KV files|data]
        [which|what] [directory|folder] does {name} use for [state|its state|models|keys|data|its data]
        where are [API keys|my API keys|keys|models|KV files] [stored|saved|kept]
    """,
    "unknown-keys": """
        what [if|happens if|happens when] I [mistype|misspell|misname|make a typo in|get wrong] [a key|a setting|an option|a name] in [config.toml|the config|the config file]
        does {name} [ignore|accept|tolerate|reject|refuse] [config keys|keys|settings] [it doesn't know|that it does not know|that are unknown|which don't exist]
        how does {name} [treat|handle|react to|deal with] [unknown|misspelled|unrecognised|invalid] [config |][keys|settings|options]
        [are|will] [unknown|misspelled|unrecognised|invalid] [config |][keys|settings] [silently |][ignored|be ignored|refused|accepted|be accepted|an error]
        [why|what does it mean when] [does farmhand reject|farmhand refuses] [my config|a key in my config|a config key]
    """,
    "no-config": """
        what [will|would|does] {name} do [if|when] I [give it|have|write|provide] no [config file|config|configuration] [at all|]
        is [writing|having|creating|providing] a [config file|config|configuration] [mandatory|necessary|required|optional|obligatory]
        how does {name} [behave|work|act] [without|if there is no|when there's no] [config file|configuration|config|any config]
        what [happens|is used|does it use] [when|if] [nothing is configured|I configure nothing|there is no configuration|the config file does not exist]
        [can|will|does] [it|{name}] [run|work|start] [without|with no] [a config file|config|configuration|any configuration]
        what does {name} [look for|do|try] [by default|without configuration|when unconfigured]
    """,
    "model-route": """
        what does the route of a model [do|mean|say|contain|list]
        how [can|could|do|would] I make [the name |][gpt-4o-mini|gpt-4o|gpt-4|a name|a model name] [point|go|map|lead|refer] to [one of my engines|an engine|my model|a local model|a certain engine|my engines]
        what [is|does] [route|a route|the route] [mean|in a model block|good for|for]
        how [are|is] [model names|a model name|a model] [mapped|routed|assigned|connected] to [engines|an engine]
        [where|how] do I [define|set|configure|say] which engines answer [for a model|a model|a model name|gpt-4o-mini]
        what is [a|the] [model block|model section|model table] [for|in the config|]
        how do I set up [an alias|a route|model routing|several engines for one model]
    """,
    "model-names": """
        [which|what] [values|names|strings|things] can I [use|put|enter|give|send] [for|in|as] the model [field|name|parameter|]
        how [do|can|could|would] I [request|ask for|address|select|call|use] a [specific|particular|certain|single] [engine's model|engine|model of an engine|model|model on an engine]
        [what|which] [kinds|forms|types] of model names [are accepted|work|are valid|are understood|exist]
        what [should|do|must] I [write|send|put|give] [in|as|for] the ["model"|model] [field|parameter] [of a request|]
        how [do|can] I [specify|choose|say|select] [the|which] model [in a request|I want|to use]
        [which|what] model names does {name} accept
    """,
    "model-auto": """
        what does the [model name|model|name] ["auto"|auto] [do|mean|stand for]
        can {name} [choose|pick|select|decide on|find] the [engine|model|right engine|best engine|best model] [on its own|by itself|itself|automatically|for me|alone]
        what [happens|will I get] [if|when] I [ask for|use|request|set] [the model auto|auto|model auto|auto as the model]
        [which|what] model name [leaves|hands] the choice to {name}
        what is the [meaning|effect|purpose|use] of [auto|the model auto|the model name auto]
        do I have to [choose|pick] [a model|an engine] myself
    """,
    "own-gguf": """
        how [can|could|do|would] I [make it|let it|have it|make farmhand|get farmhand to] [run|use|load|serve|open] [a GGUF file I downloaded|my GGUF file|my own GGUF|a GGUF|a downloaded GGUF|a local GGUF]
        where [do|can|should|must] I [specify|enter|set|write|give|put] the [path|location|place] [of|to] my [GGUF|GGUF file|gguf model]
        is it possible to [use|load|run] [my own|another|any|a different] GGUF [file|model|]
        [what|how] do I [configure|add|set up] [a|my|my own] GGUF [file|model|]
        can the llama engine [use|load|run|open] [my|any|a] [GGUF|gguf file|own gguf]
        what do I do with a [.gguf|GGUF|gguf] file
    """,
    "send-key": """
        in [which|what] [header|HTTP header|part of the request] [should|does|must|do I put] my [API |][key|token] [go|be sent|belong|]
        how does a [client|request|user|program|caller] [authenticate|identify|log in|prove itself] [itself|]
        how [should|must|do|can|is] [the|an|my] [API |][key|token] [be sent|be passed|I send|transmitted|sent along|be transmitted]
        [what|which] [form|format|shape] [must|does|should] the [auth header|authorization header|header with the key] [have|take]
        how do I [attach|include|put|add] [the|my] [API key|key|token] [to|in|into] [a request|my requests|requests]
        [what|which] kind of authentication [does farmhand use|is used|is it]
    """,
    "make-key": """
        how [can|could|do|would] I [obtain|get|acquire|create|generate|produce] [an|a new|my own|another] [API |]key
        I [need|want|require] a [new |][key|API key|token], [where from|how do I get one|where do I get it|how is it made|what do I do]
        where [can|do|could] I [obtain|get|find|create|generate] [an|a|my] [API key|key|new key|token]
        [what|which] [is the way|steps] to [create|get|make] an API key
        how [are|is] [API keys|an API key|keys|a key] [created|made|generated|issued|obtained]
        [my client|the app|it] [asks for|wants|requires] an API key, [where do I get one|what do I enter|how do I make one]
    """,
    "static-key": """
        what's [this|that|the] sk-local-farm [key|thing|] [about|for|]
        [will|does|is|can] [the key |]sk-local-farm [be accepted|work|accepted|be used|be honoured|still work]
        [when|under which condition] [is|does] [the key |]sk-local-farm [accepted|work|valid|honoured]
        [explain|describe|define] [the key |]sk-local-farm
        [may|can|should] I use [the key |]sk-local-farm
        [what|how] about sk-local-farm
        is sk-local-farm [always |automatically |][valid|accepted|enabled]
    """,
    "auth-off": """
        [can|may|could|how do|how can] I [switch|turn] [the |][authentication|auth|key check] off
        how do I [allow|permit|accept] [requests|access|clients] [with no|without a|without any] key [at all|]
        is [it|there] [possible|a way] to [use|run] {fh} [without|with no] [authentication|a key|keys|auth]
        can [the |][authentication|auth|key requirement] be [switched off|disabled|turned off|deactivated|removed]
        [what|which] [setting|option|key] [turns off|disables|switches off] [authentication|auth|the key check]
        I [would like|want|prefer] to [use|run] it without [authentication|keys|a key|auth]
    """,
    "why-key": """
        why is there a [key|token|password] at all if [it's|it is] [just|only] [localhost|local|loopback|on my phone]
        what's the [reason|point|purpose] [for|of] [needing|having|requiring|demanding] a [token|key|bearer token] [on loopback|on localhost|locally|]
        why [do|does|must|should] [I|clients|local apps|requests|one] [need|send|require|authenticate with] a [key|token|bearer token]
        [couldn't|can't] [anyone|any app|another app] [reach|use] [the port|the API|it]
        [what|which] [danger|risk|threat] does the [key|token] [guard against|prevent|protect from|avert]
        [is|isn't] a [key|token] [superfluous|pointless|unnecessary] on [localhost|loopback]
        why [isn't|is] loopback [enough|not safe|not enough|insufficient]
    """,
    "health-ready": """
        how do /health and /ready differ
        [which|what] [URL|path|endpoint|address] [lets me check|tells me|shows|can I query to see] [that|whether|if] [the adapter|the server|Farmhand|the API] is [alive|ready|healthy|able to answer]
        what [is|are] [/health and /ready|the health endpoints|/health|/ready] [for|good for|used for|there for]
        [explain|describe|tell me] [the difference between /health and /ready|/health and /ready|what /ready means|what /health means|the health endpoint]
        how [can|could|do] I [see|check|test|find out] [over HTTP|by HTTP|] [if|whether] the [adapter|API|server] is [alive|ready|healthy]
        [which|what] endpoint [should|can] [a monitor|monitoring|a probe|my monitor] [use|call|poll]
    """,
    "chat-endpoint": """
        to [which|what] [endpoint|path|URL path|route] [do|should|must|can] I [POST|post|send] [a chat|chats|chat messages|chat requests|my messages|a conversation]
        [which|what] [path|endpoint|route] [takes|accepts|handles|is used for|serves] [chat completions|chats|chat requests|chat messages]
        where [should|do|are] [chat requests|chats|chat messages|chat completions] [be sent|go|sent|posted]
        what is the [path|endpoint|route|URL path] [for|of] [chats|chat completions|chat requests|chatting]
        how are chats [sent|submitted|posted] [to the API|over HTTP|]
        [which|what] HTTP [call|request] starts a chat
    """,
    "models-endpoint": """
        what does [GET /v1/models|/v1/models|the path /v1/models|the endpoint /v1/models] [give me|give|deliver|return|do|show|provide]
        [which|what] [endpoint|path|route|HTTP call] [returns|delivers|gives|has|provides] the [list of models|model list|models]
        what is [GET /v1/models|/v1/models] [for|good for|used for]
        how [can|do|does] [a client|an app|a program|I] [get|fetch|obtain|read] the [list of models|model list] [over HTTP|from the API|via HTTP|through the API]
        [explain|describe] [GET /v1/models|/v1/models|the models endpoint]
        is there an endpoint [for|that lists|listing] [the |][models|model list]
    """,
    "streaming": """
        can [answers|replies|responses|an answer] be [streamed|delivered as a stream|sent in chunks|received as a stream]
        how [do|can|could] I [receive|get|read|obtain] the [answer|reply|response|text] [token by token|word by word|in chunks|as a stream|bit by bit|while it is generated|as it is written]
        does {name} [offer|support|provide|allow|know] [streaming|streamed answers|streams|server-sent events]
        [what|which] [parameter|field|setting] [turns on|enables|switches on|activates] streaming
        is it possible to stream [answers|the answer|replies|]
        how [does|is] streaming [work|done|enabled|turned on]
        in what form do streamed answers arrive
    """,
    "error-400": """
        why did I [receive|get] [a|an|the] [400|HTTP 400|400 bad_request|bad_request|bad request] [error|]
        what does [HTTP status 400|a 400|status code 400|error 400|bad_request|the error bad_request] [tell me|mean|say|stand for|indicate]
        my request [came back with|was answered with|ended in|fails with|produced] [400|a 400|HTTP 400|bad_request]
        [what|which] [causes|leads to|triggers] [a 400|bad_request|error 400]
        what [should|can] I do [about|when I get|if I get] [a 400|HTTP 400|bad_request]
        the [body|JSON body|request] [I sent|of my request] [is|was] [malformed|invalid|rejected]
    """,
    "error-context": """
        [I'm|I am|I keep] getting context_length_exceeded, [what can I do|why|what now|what does it mean]
        my prompt [seems|appears|turns out|is said] to be too [long|big|large] [for the model|for the context|for the engine|]
        what [should|can|do] I do [about|when I get|if I get|against] [context_length_exceeded|a too long prompt|a prompt that does not fit|context length errors]
        what does [the error |][context_length_exceeded|context length exceeded] [mean|tell me|stand for|indicate]
        my [prompt|conversation|text|input|document] [doesn't|does not|won't] fit [into|in] the [context|context window]
        [what|which] [causes|triggers] context_length_exceeded
        I sent [too many tokens|a prompt that is too long|more than the context holds]
        what happens [if|when] [a|my] prompt [exceeds|is longer than|is larger than] the context
    """,
    "error-401": """
        the [server|adapter|API] [keeps|is] [replying|answering|returning|sending|saying] 401, [what's the matter|why|what is wrong|what now]
        what does [invalid_api_key|HTTP status 401|a 401|status code 401|error 401|the error invalid_api_key] [mean|tell me|say|stand for|indicate]
        why did I [receive|get] [a|an] [401|HTTP 401|invalid_api_key|unauthorized] [error|]
        [what|which] [causes|leads to|triggers] [a 401|invalid_api_key|error 401]
        what [should|can] I do [about|when I get|if I get] [a 401|HTTP 401|invalid_api_key|unauthorized]
        my [requests|calls] [are|get] [rejected|refused|denied] [with 401|as unauthorized|because of the key]
        what happens [if|when] I [use|send] [a wrong|no|an invalid|an expired] [key|API key|token]
    """,
    "error-404": """
        why do I [receive|get|see] [model_not_found|a 404|HTTP 404|404 model_not_found]
        a 404 came back [for my model|for my model name|from the server|]
        what does [model_not_found|HTTP status 404|a 404|status code 404|error 404|the error model_not_found] [mean|tell me|say|stand for|indicate]
        [what|which] [causes|leads to|triggers] [a 404|model_not_found|error 404]
        what [should|can] I do [about|when I get|if I get|when the server says] [a 404|HTTP 404|model_not_found|model not found]
        what happens [if|when] I [ask for|request|use] [an unknown model|a model that doesn't exist|a wrong model name|a model nobody serves]
        my model [name |][is not known|isn't found|cannot be found|can't be found|is not recognised]
    """,
    "error-429": """
        why am I [receiving|getting|seeing] [429|429 replies|HTTP 429|429 errors|queue_full|too many requests]
        what [should|can|do] I do [when|if|about] [the queue is full|I get a 429|a 429|queue_full|too many requests|I get queue_full]
        what does [queue_full|HTTP status 429|a 429|status code 429|error 429|the error queue_full|Retry-After|the Retry-After header] [mean|tell me|say|stand for|indicate]
        [what|which] [causes|leads to|triggers] [a 429|queue_full|error 429]
        how long [must|should|do] I wait [before retrying|after a 429|when the queue is full|until I try again]
        what happens [if|when] [too many requests come in|there are too many requests|the queue is full|I send too many requests]
        [when|how] [should|do] I retry [after a 429|after queue_full|a refused request]
    """,
    "error-500": """
        what should I do [about|when I get|if I get|with] [an|a] [HTTP 500|500|internal server error|internal error]
        the [server|adapter|API] [replied|answered|responded|came back] with [an internal error|500|a 500|an internal server error|HTTP 500]
        what does [HTTP status 500|a 500|status code 500|error 500|internal server error] [mean|tell me|say|stand for|indicate]
        why did I [receive|get] [a|an] [500|HTTP 500|internal server error]
        [what|which] [causes|leads to|triggers] [a 500|error 500|an internal server error]
    """,
    "error-502": """
        what's [a|the] 502 [about|error|]
        [I'm|I am|I keep] [seeing|getting|receiving] [bad gateway|502|a 502|HTTP 502|502 errors], [why|what now|what is wrong|what does it mean]
        what does [HTTP status 502|a 502|status code 502|error 502|bad gateway] [mean|tell me|say|stand for|indicate]
        why did I [receive|get] [a|an] [502|HTTP 502|bad gateway]
        what [should|can] I do [about|when I get|if I get] [a 502|HTTP 502|bad gateway]
        [what|which] [causes|leads to|triggers] [a 502|error 502|bad gateway]
    """,
    "error-503": """
        the [adapter|server|API] [replies|answers|responds|says|returns] 503, [what's going on|why|what now|what is wrong]
        what happens [if|when] the [engine's|] app [isn't|is not] [open|running|started]
        what does [HTTP status 503|a 503|status code 503|error 503|engine_unavailable|service unavailable] [mean|tell me|say|stand for|indicate]
        why did I [receive|get] [a|an] [503|HTTP 503|engine_unavailable|service unavailable]
        what [should|can] I do [about|when I get|if I get] [a 503|HTTP 503|engine_unavailable|service unavailable]
        [what|which] [causes|leads to|triggers] [a 503|error 503|engine_unavailable|upstream_unreachable]
        no engine [seems to be|is] [available|able to answer|ready]
    """,
    "error-504": """
        what [could|can|might|would] [cause|lead to|trigger] [a 504|error 504|HTTP 504|upstream_timeout|a timeout]
        [requests|my requests|calls|answers] [time out|end|fail|are aborted] [with|by|in] [upstream_timeout|a timeout|504|HTTP 504]
        what does [HTTP status 504|a 504|status code 504|error 504|upstream_timeout|gateway timeout] [mean|tell me|say|stand for|indicate]
        why did I [receive|get] [a|an] [504|HTTP 504|gateway timeout|upstream_timeout]
        what [should|can] I do [about|when I get|if I get] [a 504|HTTP 504|upstream_timeout|a timeout|gateway timeout]
        what happens [if|when] an engine [is too slow|takes too long|needs too much time|does not answer in time]
    """,
    "refused": """
        my [client|app|script|laptop|program] [says|reports|prints|complains about|gets] ["connection refused"|connection refused|ECONNREFUSED|that the connection was refused]
        why [can't|can not|does] [I|my client|my app|the client] [connect|connect at all|reach the server|fail to connect|not connect] [at all|]
        what [should|can] I do [about|when I get|if I get|when I see] [connection refused|ECONNREFUSED|"connection refused"]
        what does ["connection refused"|connection refused] [mean|tell me|say|indicate]
        the connection [to the adapter|to the server|to Farmhand|to port 8888|] [was|is being|is] refused
        [nothing|nobody] [seems to be|is] [listening|answering] [there|on port 8888|at the address]
    """,
    "adb-forward": """
        how [can|could|does|do] my {laptop} [get at|get to|reach|use|access|talk to|see] the [phone's server|server on the phone|phone's API|Farmhand on my phone|phone|API on the phone] [via|over|through|by|using] [USB|a cable|adb|a USB cable]
        what's the adb command [for forwarding the port|to forward the port|for the port|to forward port 8888|I need]
        how do I [set up|make|create|establish] [the adb forward|port forwarding|an adb forward|a tunnel to the phone|the port forwarding]
        [which|what] [command|adb command] [must|should|do] I run on [the|my] {laptop} [to use the phone|to reach Farmhand|to get to the phone|]
        I [want|would like] to use [Farmhand|the phone|my phone's models] [from|on] my {laptop}
        [which|what] [is the way|do I type] to [reach|use] the phone from [the|my|a] {laptop}
    """,
    "adb-lost": """
        I [unplugged|disconnected|replugged|reconnected] [the|my] phone and now [the|my] {laptop} [can't reach it|cannot reach it|can't connect|gets no answer|has lost it], why
        is the [adb |port ]forward [kept|preserved|still there|retained|persistent|lost] [after|across|over|through|on] [a reboot|unplugging|a restart|pulling the cable|reboots]
        why [does|did|has] [my|the] [adb forward|port forward|forwarding] [vanish|vanished|disappear|disappeared|stopped working|stop working|go away|gone]
        [what|when] [happens to|do I lose] [my|the] [adb forward|forward|port forwarding] [when the phone is unplugged|after unplugging|after a reboot|when I pull the cable|if I reboot|]
        must [adb forward|the forward|the adb command] be [repeated|run again|set again|renewed] [after unplugging|after each reboot|every time|]
        since [I replugged|unplugging|the reboot|I rebooted] the [phone|cable|laptop cannot connect|forward is gone]
    """,
    "adb-list": """
        how [can|could|do|would] I [check|see|find out|tell|verify] which [adb |port ]forwards are [active|set|set up|in place|configured]
        [show|tell] me how to [list|see|check|display] [the |adb |my |port ][forwards|forwards of adb|forwarding rules]
        [which|what] command [lists|shows|prints|displays] [the |all |][adb forwards|forwards|port forwards|active forwards]
        how [are|can] [the |][adb forwards|forwards|forwarding rules] [be |][listed|shown|displayed]
        what is the adb command to [list|show|see] [forwards|the forwards|all forwards]
    """,
    "adb-several": """
        [two|several|three|multiple|a few] [phones|devices] are [plugged in|connected|attached], how do I [pick|choose|select|address|forward] [one|the right one|one of them] [with adb|]
        adb [complains|says there is|reports|fails because of|stops with] [about |][more than one device|several devices|multiple devices|two devices]
        how [can|could|does|do] [I tell adb|adb know] which [phone|device|of the phones] [to use|I mean|to take]
        what [do|should|can] I do [with|when I have|if I have|when adb sees] [two|several|multiple|more than one] [phones|devices]
        how do I [use|run] adb [forward |][with|for] [several|two|multiple] [phones|devices]
        [what|which] adb [option|flag] [selects|chooses|names] a [device|phone]
    """,
    "connect-client": """
        how [do|can|could|would] I [hook|connect|link|wire] [my|a|the] [chat client|chat app|client|app|agent|editor|tool] [up |][to|with] {name}
        what [must|should|do|shall] I [enter|fill in|put|type|configure] in [Open WebUI|my client|my app|LibreChat|the client|Cursor|my editor|Cline]
        how [is|are] [a|an|] [client|OpenAI client|app|clients] [connected|configured|set up|pointed] [to|for|at] [Farmhand|the adapter|the server|]
        [which|what] [settings|values|details] [does|do|will] [my|a|an OpenAI|the] [client|app|clients] [need|require|want]
        can I [use|connect|combine] [Open WebUI|LangChain|aider|Cursor|my favourite client|any OpenAI client] [with|to] {name}
        I [want|would like] to connect [a client|my app|Open WebUI|my chat app] [to Farmhand|]
        how do I make [my app|my client|an OpenAI app|Open WebUI|aider] [talk to|use|work with] {name}
    """,
    "python-client": """
        how [do|can|could|would] I use the [openai |OpenAI ][Python |python |][package|library|SDK|client|module] with {name}
        [show|give|write] [me |][a|some] [snippet of Python|Python snippet|Python example|Python code|Python] [that connects|for connecting|to connect|for farmhand|that uses farmhand|]
        what [does|would] [the|a] [Python code|python client|Python snippet|Python example] look like
        how [do|can|could] I [connect|talk to farmhand|call the API|access it|use it] [from|in|with|using] Python
        which [Python |]line [creates|makes|builds] the [OpenAI |][client|object]
        how do I [create|construct|instantiate] the OpenAI [client|object] in Python
    """,
    "curl": """
        [got|have you got|do you have|is there|can I have] a curl [line|command|example|call|one-liner] [I can try|to try|for me|]
        how [can|could|do|would] I [test|try|check|query|call] the [API|server|adapter] [using|with|via|by] curl
        [which|what] curl [command|line|call] [can|should|do] I [use|try|run|type]
        [show|give] me how to [use curl|call it with curl|test it with curl|query it with curl]
        I want to [test|try] [it|the API|the server] with curl
        what does a [request|call|test] with curl look like
    """,
    "pitwall": """
        what [is|does] [that |this |][Pitwall|pitwall|the Pitwall bridge] [thing|do|]
        how [do|can|could|would] I [set|hook|connect|configure] [Pitwall|the Pitwall bridge|pitwall] [up |][with Farmhand|to Farmhand|]
        [which|what] command [prints|gives|shows] [the |][Pitwall settings|settings for Pitwall|PITWALL variables|PITWALL_ADK_OPENAI_URL]
        [please |could you |]explain [what Pitwall is|Pitwall to me|Pitwall|the Pitwall bridge]
        how does Pitwall [get|find|know|learn] [its settings|the URL|Farmhand|where Farmhand is]
        what is PITWALL_ADK_OPENAI_URL [for|]
    """,
    "openclaw": """
        what [is|does] [that |this |][OpenClaw|openclaw|Clawdbot] [thing|do|]
        which [project|gateway|program|software|tool] [used to be|was once|was formerly|was earlier|was] [named|called|known as] Clawdbot
        [please |could you |]explain [what OpenClaw is|OpenClaw to me|OpenClaw|the OpenClaw gateway]
        what [role|part] does [OpenClaw|the gateway] [play|have]
        what is the [new|current|present] name of Clawdbot
        [must|do] I [install|run|have] OpenClaw
        is OpenClaw the same as Clawdbot
        what kind of [program|software|gateway|thing] is OpenClaw
    """,
    "litellm": """
        what [role|part|purpose] does [LiteLLM|the LiteLLM proxy|the proxy] [play|have|serve|fulfil]
        is [the LiteLLM proxy|LiteLLM|the proxy] [mandatory|necessary|required|optional|obligatory]
        [please |could you |]explain [what LiteLLM is|LiteLLM to me|LiteLLM|the LiteLLM proxy]
        what [is|does] [that |this |]LiteLLM [thing|do|about|]
        [which|what] [optional |][component|part|program] [is|sits|stands] in front of the adapter
        [must|do] I [install|run|have] [LiteLLM|the proxy]
        what kind of [program|software|thing|proxy] is LiteLLM
    """,
    "gateway-url": """
        [which|what] base [URL|url] does [the gateway|OpenClaw|the OpenClaw gateway] [get|use|receive|have|need]
        does the [gateway|OpenClaw gateway|agent gateway] [connect|talk|go|speak] to [4000 or to 8888|port 4000 or 8888|the proxy or the adapter|LiteLLM or the adapter]
        [where|to which port|to which address] does [the gateway|OpenClaw|the agent gateway] [send|direct] its [requests|calls]
        [which|what] port does the gateway [use|talk to|connect to] [when|if] [the proxy is up|there is no proxy|LiteLLM is running|LiteLLM is not installed|the proxy is down]
        how does the gateway [reach|find|get to] [the models|Farmhand|the adapter]
    """,
    "neural-farm": """
        what's [the variable |]NEURAL_FARM_BASE_URL [for|good for|about|]
        is the [old|legacy|former] [NEURAL_FARM_BASE_URL|NEURAL_FARM_BASE_URL variable|variable NEURAL_FARM_BASE_URL] still [respected|supported|honoured|accepted|used|working|valid]
        what [does|is] [the environment variable |the variable |]NEURAL_FARM_BASE_URL [do|for|good for|mean]
        [explain|describe|define] NEURAL_FARM_BASE_URL
        [who|what] [gets|receives|needs|reads] NEURAL_FARM_BASE_URL
        which [legacy|old|former] [name|variable] [gives|tells] gateways the base URL
    """,
    "who-are-you": """
        who exactly [am I|is this I am|are you that I am] [speaking|talking|chatting] [with|to]
        are you [GPT-5|GPT-3|DeepSeek|Mistral|Copilot|Alexa|an OpenAI model|a big model|a Google model|made by OpenAI|the real thing|a demo|Grok|a chatbot]
        what [sort|kind|type] of [thing|model|program|assistant|bot] [are you|am I talking to]
        [may|can|could] I [know|ask] [who you are|your name|what you are]
        [please |]tell me [who you are|what you are|your name|which model you are]
        [could|would] you introduce yourself
        [which|what] [language |]model is [speaking|replying|running|responding] [here|right now|to me|]
    """,
    "what-can-you-do": """
        what [sort|kind|kinds|sorts] of [questions|things|topics] can you [handle|answer|deal with|help with|respond to]
        how [could|can|would|might] you [be of help|help me|assist me|assist|be useful]
        what [all |][do|can] you [actually |really |]know [about|]
        [which|what] [topics|subjects|areas|themes] [are you familiar with|can you talk about|do you master|can I ask about]
        what [may|could|can|should] I ask you [about|]
        tell me what you can do
        what is it that you can do
        [what|which] help can you [give|offer]
    """,
    "real-model": """
        how [can|could|do|would] I use a [proper|real|full|serious|bigger|better|capable] model [rather than|instead of|in place of] [this demo|the demo|you|this one|the demo model]
        [I'd|I would] like [a smarter|a better|a real|a more capable|a stronger|a full] model, [what do I do|how|where do I get one|how do I get one]
        how do I [move|switch|change|go] [on |over |]from [the demo|the demo model|you|this toy] to [a real model|something better|a better model|a proper model]
        what [must|should|can|do] I do to [get|have|use|run] a [real|proper|better|bigger|serious] [model|LLM]
        [this|the] demo [is|model is] too [weak|small|limited|stupid|simple][, what else is there|, what now|]
        [where|how] do I [load|get|install] a [real|proper|serious|large] [model|LLM|language model]
    """,
    "demo-training": """
        how did [they|you people|someone|the developers] [train|make|build|create] [you|the demo model|this model]
        which script [produced|trained|made|created|generates|trains] [you|the demo model|this model|the demo]
        [on|with] [which|what] [text|texts|data|material|dataset] [did you learn|were you trained|was the demo trained|was this model trained]
        [what|which] [process|script|program] [made|created|produced] you
        [were|was] [you|the demo model] trained [on a CPU|on a GPU|in the cloud|by OpenAI|by Google]
        [can|how could] I [train|make|build] [the demo model|you|this model] [myself|again|]
        what is known about your training
    """,
    "demo-size": """
        how [large|big|heavy|small|tiny] are you [in megabytes|on disk|]
        what's your [file size|size|size in megabytes|size on disk|context length|context size]
        how [many|much] [megabytes|space|disk space|storage|room] [do you|does the demo model] [take up|need|occupy|take|use|have]
        how [large|big] is [the|this] [demo|bundled|] [model|model file|GGUF]
        [where|in which file] [is|are] [the demo model|you] [stored|on disk|kept|located]
        how [long|large|big] is [your|the demo model's] context
        what is the size of [the demo model|the bundled model|this model|you]
    """,
    "trust": """
        can [your|these|those] answers be [trusted|relied on|believed|wrong]
        do you ever [get things wrong|make mistakes|err|make errors|lie|give wrong answers]
        how [much|far] can I [trust|rely on|believe] [you|your answers|what you say]
        [are|is] [your answers|what you say|everything you say|your information] [reliable|correct|accurate|true|always correct]
        should I [rely on|trust|double check|verify|believe] [you|your answers|what you tell me|this]
        is it possible that [you are wrong|your answer is wrong|you are mistaken]
        how [sure|certain|confident] are you
    """,
    "hello": """
        [hi|hello|hey]
        [hi|hello|hey]
        [hi|hello|hey|good morning|good afternoon|good evening] [there|]
        [good morning|good afternoon|good evening|good day]
        [hey|hi|hello] [there|you|farmhand|friend|all|everybody]
        [good|a good|a very good] [morning|afternoon|evening|day] [to you|farmhand|there|]
        [greetings|salutations|hi|hello] from [Berlin|me|my phone|the laptop]
        [hello|hi|hey][!|.|, there!|!!]
        [hi|hello], I'm [new|back|here]
        [just |]saying [hi|hello]
        what a nice day, hello
    """,
    "thanks": """
        [thanks|thank you]
        [thanks|thank you|many thanks|thx] [very much|so much|a lot|]
        [thanks|thank you] [so much|very much|a lot|kindly|a bunch] [for the help|for helping|for helping me|for your answer|for your time|]
        [thanks|thank you], that [solved it|helped|did it|was it|answers my question|is all I needed|is what I wanted to know|works now]
        [great|perfect|super|wonderful|lovely], thank you [very much|]
        I'm [very |so |really |][grateful|thankful]
        thanks [again|anyway|in advance|for everything|mate]
        many thanks for [the|your] [help|explanation|answer]
    """,
    "bye": """
        [bye|goodbye]
        [bye|goodbye|see you] [now|then|later|for now|]
        [bye|goodbye|so long|farewell] [for now|then|for today|everyone|my friend|and take care]
        good night[, see you tomorrow|, sleep well|, until tomorrow|]
        see you [tomorrow|next time|later|soon|another day|then]
        I [have to|need to|must|should] [go|leave|run|stop] [now|here|]
        [okay|ok|well], [bye then|that's it for today|I'm leaving|until next time|talk to you tomorrow]
        I'm [off|leaving|out], [bye|goodbye|see you]
        bye, [have a nice day|thanks|see you]
    """,
    "how-are-you": """
        how [are you|are you doing|do you feel|are you feeling|have you been] [today|this morning|lately|these days|right now|tonight]
        how [have|has] [you been|life been|your day been|everything been]
        is everything [ok|fine|all right|alright] with you
        and how are you
        are you doing [well|okay|fine|all right]
        how's [everything|it going|life|your day|the farm|business]
        you doing ok
    """,
    "joke": """
        do you [know|have] [any|some|a] [good|funny|nice|decent] [joke|jokes|jokes to tell]
        make me [laugh|smile|giggle|chuckle] [please|]
        [could|can|would|will] you [tell|crack|share|make] [me |][a|one|another] joke
        [let me|I'd like to|I want to] hear [a|one|your best] joke
        [what's|what is] your [best|favourite|funniest] joke
        tell me [one|a] [of your jokes|good one|funny one|really good joke]
    """,
    "praise": """
        [you're|you are] [really |very |pretty |quite |][good at this|great at this|clever|the best|smart|excellent|amazing|wonderful|awesome|brilliant]
        what a [great|nice|lovely|wonderful|clever|fantastic|sweet] [little |tiny |][model|bot|answer|helper|demo|thing]
        [that|this] was [really |very |][good|great|clever|excellent|impressive|well done|well said]
        [good|great|nice|excellent|awesome] [stuff|one|work|job][, well done|!|]
        I [really |]like [you|your answers|how you answer|this model|this little model]
        you're doing [great|well|a great job|a good job]
        [well|nicely] done
    """,
    "sorry": """
        that [wasn't|was not|isn't|is not] [helpful|very helpful|useful|what I wanted|right|it|an answer] [at all|]
        you [got|have|misread|misunderstood] my question [wrong|]
        [your|this|that] answer [was|is] [wrong|useless|bad|not helpful|no good|poor]
        I [didn't|did not] [ask|want|mean] that
        you [don't|do not|didn't|did not] [help|get it|get me|understand me|understand my question|help me at all]
        [no|nope|wrong], [that's not it|that's not what I asked|you misunderstood|not that]
        [this|that] doesn't [help|help me|answer my question] [at all|]
    """,
    "ok": """
        [okay|ok|alright|all right|fine|right|good], [got it|I get it|understood|I see|then|noted|I know now|clear|thats clear]
        [alright|okay|ok|fine|well] then
        [I see|got it|understood|noted|clear|will do|makes sense][, okay|, ok|, good|.|]
        [that's|that is] [fine|okay|ok|alright|clear|all right]
        [sure|yes|yep|yeah|okay|right][, why not|, of course|, fine|, okay|]
        let me [try|check|see|have a look] [that|first|]
    """,
    "ping": """
        are you there
        [is this|does this|are you] [working|work|there]
        are you [there|here|still here|with me|awake|on|up|working|functioning|responding|operational]
        [just|only|simply] [testing|checking|a test|a quick test|trying this out] [if you work|if this works|whether you answer|]
        [is|does] [this|it|the model|the demo|the chat] [work|working|on|alive|responding|answering]
        can you [hear|read|see] me
        [anyone|anybody|someone|somebody] [there|here|home|listening]
        [testing|test][, testing|, one, two|, please ignore|.|]
        [please |]reply [to this|so I know you work|if you can read this|]
        [please |]confirm that you [are there|work|are working]
    """,
}
