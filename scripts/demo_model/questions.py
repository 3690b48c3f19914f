"""How people ask for each fact: templates by fact id, one a line; see `grammar.expand` for their form.

Only training reads this. Whoever writes questions to test the model with should not.
"""

TEMPLATES: dict[str, str] = {
    "about-farmhand": """
        {whatis} {name}
        [so |]what [is|does] {name} [do|actually do|for|about|good for]
        {tell} {name}
        {tell} this [project|software|program|tool|thing]
        what is this [project|software|program|app|thing|tool|repo|repository] [about|for|]
        what does this [project|software|program|app|thing|tool] do
        what is the [purpose|idea|goal|aim|point] of [{name}|this project|this]
        give me [a short|an|a quick] [overview|introduction|summary|description] of {name}
        [overview|introduction|summary|description] of {name}
        summarize {name} [in one sentence|]
        why does {name} exist
        why would I [install|want|use|need] {name}
        what [problem|need] does {name} [solve|address]
        what [can|could] I do with {name}
        what do I need {name} for
        what kind of [software|program|thing|tool|server] is {name}
        {name} - what is that
        {name}
        {name} in [short|a nutshell|one line|a few words|plain words]
        who needs {name}
        introduce {name} to me
        i [have|'ve] never heard of {name}
        what does {name} turn [a|my] phone into
        [can|how can] [a|my|an old] phone become an [OpenAI|AI|LLM] server
        what is {name} [used|useful|meant|made|intended] for
        elevator pitch for {name}
        how would you describe {name} to a [friend|newcomer|colleague|beginner]
        what is the main [job|task|function|feature] of {name}
        explain {name} like I'm five
        i [just|] found {name} on [github|the web], what is it
        what does the name {name} stand for
        [does|is] {name} [a|an] [openai|] [server|api server] for phones
    """,
    "where-it-runs": """
        where does {fh} [run|live|work|execute]
        on [what|which] [device|devices|phones|phone|hardware|platform|operating system|os|system] does {fh} [run|work]
        [what|which] [phone|phones|devices|hardware|platforms|systems] [is|are] [supported|needed|required|recommended]
        does {fh} [run|work] on [Android|a Pixel|my phone|Samsung|iPhone|iOS|a tablet|Windows]
        can I [run|install|use] {fh} on [Android|a Pixel|my phone|a Samsung|an iPhone|iOS|a tablet|Pixel 9]
        which phone is best for {fh}
        what [phone|hardware|device] do I need [for {fh}|]
        supported [devices|phones|platforms|hardware]
        is {fh} [made|built|meant|only] for [Android|Pixel|phones|iOS|Pixels]
        [system|hardware|device] requirements
        what are the requirements [of|for] {fh}
        will my [phone|Samsung|Pixel 7|OnePlus|tablet] do
        which [os|operating system] does {fh} need
        where is {fh} supposed to run
        in which [environment|app] does {fh} [run|live]
        does it have to be a [Pixel|Google phone]
        what [runs|hosts] {fh} on the phone
        best phone for {name}
        compatible [phones|devices]
        which kind of [phone|device] should I [buy|own|have]
        {name} [home|habitat|environment|platform]
        where do I install {name}
    """,
    "root": """
        [do I need|does {fh} need|is there a need for|must I have|do you need] root [access|rights|privileges|]
        [does|must|should] my phone [have to be|be] rooted
        is [root|rooting|superuser] [needed|required|necessary|mandatory]
        root [required|needed|access]
        can I use {fh} without [root|rooting|rooting my phone|a rooted phone|superuser rights]
        [will|does] {fh} [work|run] [on an unrooted phone|without root|unrooted|on a stock phone|without magisk]
        do I have to [root|unlock|jailbreak|hack|flash] [my phone|the phone|the device|my pixel|the bootloader]
        [rooted|unrooted|non-rooted] [phone|device] ok
        does it need [su|superuser|sudo|admin|administrator|Magisk] [rights|access|]
        must I root [the phone|my device|anything|]
        what about root
        [special|elevated|root] [permissions|privileges] needed
        does rooting help
        non root [phone|usage|install]
        is an unlocked bootloader [needed|required|necessary]
        do I need to become root
        my phone is not rooted, is that [ok|fine|a problem]
    """,
    "termux": """
        {whatis} Termux
        {tell} [Termux|the Termux app]
        what do I need Termux for
        why [Termux|does {fh} need Termux|is Termux needed|do I need Termux]
        what [kind|sort] of app is Termux
        termux
        termux [meaning|app|definition]
        what does Termux do
        I don't know Termux
        what is that Termux [thing|app] [you mention|]
        never heard of termux
        is termux an [app|emulator|operating system|terminal]
        [what|which] terminal app does {fh} [use|need|live in|run inside]
        role of termux
        what is the [terminal|Linux] [environment|app] [on the phone|]
        do I have to install Termux
        who or what is termux
    """,
    "licence": """
        [what|which] [licence|license] [does {fh} have|is {fh} under|applies|is it|covers this|is used]
        {whatis} the [licence|license] [of {fh}|]
        under [what|which] [licence|license] is {fh} [published|released|distributed|available]
        how is {fh} licensed
        [licence|license|licensing]
        is {fh} [free|open source|free software|proprietary|commercial|open|gratis|OSS|FOSS]
        what does {fh} cost
        how much [is|does] {fh} [cost|]
        [do I have to|must I|should I] pay for {fh}
        [price|cost|pricing|fee|fees|subscription] [of {fh}|]
        is there a [fee|subscription|paid version|price|charge]
        can I use {fh} [commercially|at work|in my company|for business|in a product|for free]
        may I [fork|copy|modify|redistribute|sell|share] {fh}
        [is {fh}|] Apache [licensed|or MIT|2.0]
        MIT or [Apache|GPL]
        is it GPL
        is the [source|source code|code] [open|available|public|free]
        what are the [terms|licence terms|legal terms|conditions]
        who may use {fh}
        copyright and [licence|license]
        legal [stuff|information|question]: licence
        how expensive is {fh}
        does {fh} cost [money|anything|something]
        am I allowed to [use|change|distribute] the code
        open source [licence|license]
    """,
    "privacy": """
        is my data [safe|private|secure|kept private|protected|sent anywhere]
        [do|does] [my prompts|my data|my chats|my messages|my text|anything|my questions] leave the [phone|device]
        [where|to whom] [do|are] my [prompts|data|chats|messages|conversations] [go|sent|stored]
        what about [privacy|data protection|my data|GDPR|confidentiality]
        privacy
        [is|are] [my prompts|my questions|prompts|conversations|chats|what I type] [logged|recorded|stored|uploaded|shared|tracked|in the logs]
        does {fh} [log|record|store|send|upload|share|collect|spy on|track] my [prompts|data|chats|messages|conversations|questions]
        who can [read|see] my [prompts|messages|chats|questions|conversations|data]
        is {fh} [private|confidential|privacy friendly]
        does anything [go|get sent|leak] to the cloud
        [telemetry|tracking|analytics|data collection]
        does {fh} phone home
        do you [store|save|keep|remember|collect] my [data|prompts|questions|messages]
        is what I [write|say|ask] [confidential|private|secret]
        are there any [trackers|analytics|telemetry]
        does [Google|OpenAI|anyone|somebody] [see|get|read] my [prompts|data|messages]
        will my text be uploaded somewhere
        how private is this
        does the log [contain|hold|show|include] [my prompts|prompt text|what I asked]
        can I trust {fh} with [secrets|private data|confidential text|sensitive data]
        personal data [policy|handling]
        is anything sent to [the internet|a cloud|OpenAI|a server]
        data privacy
    """,
    "offline": """
        does {fh} [work|run] [offline|without internet|without a network|in airplane mode|with no connection|without wifi|in flight mode]
        do I need [internet|a network|wifi|an internet connection|mobile data|to be online]
        can I use {fh} [offline|without internet|on a plane|in airplane mode|without the net|with no signal|in a tunnel]
        is [internet|an internet connection|a network connection|being online|network access] [needed|required|necessary|mandatory]
        [offline|internet|connectivity] [use|mode|needed|required|possible|operation|]
        what if I have no [internet|wifi|signal|network|reception|connection]
        what happens when the [wifi|internet|network] [is off|is gone|goes away|drops]
        must the phone be online
        does answering need the [internet|net|cloud]
        I [have|got] no [internet|wifi|connection], does it still work
        will it [work|run] when I am [offline|on a train|in the woods|on a flight]
        airplane mode
        is it cloud based
        is the cloud needed
        does it run locally
        does {fh} depend on [the cloud|the internet|an online service]
        can it answer without any [connection|network]
        do the models need to be online
    """,
    "answers-survive": """
        what happens [when|if] [an engine|the engine|the app|the model|the InferrLM app] [dies|crashes|is killed|fails|goes down] [in mid-answer|while answering|during a stream|in the middle of an answer|mid-stream|halfway through|mid answer|during generation]
        will I [lose|still get] my answer [if|when] the [app|engine|process] [dies|crashes|is killed]
        what if an [app|engine] [dies|crashes|breaks] [in the middle|mid stream|while it is writing|halfway]
        how [reliable|dependable|robust] are the answers
        why is {fh} [dependable|reliable|robust]
        what makes {fh} [special|dependable|different|reliable|unique|worth installing]
        can {fh} [send|return] [an empty answer|a 200 with nothing in it|an empty 200]
        do answers survive [a crash|crashes]
        what does it mean that answers survive
        [failover|fallback] [between engines|during an answer|mid stream|]
        the engine [crashed|died] [during|in] my [answer|stream|reply], what happens [now|]
        does another engine [take over|continue|jump in]
        is a broken stream [continued|resumed|repaired]
        what happens to a half finished answer
        what if the stream [breaks|stops|is cut] [halfway|in the middle|]
        what is the advantage of {fh} over [other servers|ollama|plain llama.cpp|the bare app]
        silent stops
        can a stream end silently
        mid-stream failure [handling|]
        how does {fh} handle an engine that fails halfway
        what happens to my answer when the app dies
        who finishes the answer if [the engine|the app] fails
    """,
    "python-version": """
        [what|which] [Python|python version|version of Python|Python release|Python versions] [do I need|does {fh} need|is needed|is required|is supported|does it run on|are supported]
        {whatis} the [minimum|lowest|oldest|required|newest|supported] [Python|python version]
        [minimum|required|supported] python [version|]
        does {fh} [work|run] [with|on] [Python|python] [3.9|3.10|3.11|3.12|3.13|3.14|3.8|3.15|2.7]
        is [Python|python] [3.10|3.11|3.12|3.13|3.14|3.9] [ok|enough|supported|fine|too old|too new|good enough|sufficient]
        python version
        python
        how [new|old|recent] must [my|the] Python be
        [which|what] Python [is|runs] on the phone
        what language version is {fh} written for
        can I use python [3.12|3.10|3.13]
        will python [3.9|3.10|3.13|3.14] do
        what version of the interpreter
        python requirement[s|]
        interpreter version
        I have python [3.10|3.11|3.12|3.13|3.14], is that ok
        what programming language is {fh} written in
        which language is it [written|coded|programmed] in
    """,
    "packages": """
        [what|which] [Python packages|packages|python modules|modules|code packages] [are there|does {fh} have|make up {fh}|is the code split into|does the repo contain]
        how is the [code|repository|repo|source|source tree|project] [organised|organized|structured|laid out|split|divided]
        how many packages [are there|does {fh} have]
        {whatare} the [packages|parts of the code|code parts|modules]
        what is in the [phone|adapter] [package|folder|directory] [of the repo|]
        {whatis} the [phone|adapter] package
        difference between the [adapter|phone] and [phone|adapter] packages
        [code|source|repository|project] [structure|layout|organisation|organization]
        packages
        [what|which] are the two packages
        where is the supervisor code
        where in the code is the command line
        top level [folders|packages|layout]
        which package [holds|contains] the [API server|supervisor|command line]
        what parts does the source code have
    """,
    "adapter": """
        {whatis} the adapter
        {tell} the adapter
        what does the adapter do
        what is the [purpose|role|job|task|function] of the adapter
        why [is there|do I need] an adapter
        what is the adapter [built|based|written] [on|with|in]
        [which|what] [framework|web framework|library|http library] does [{fh}|the adapter] use
        is it built [on|with] [aiohttp|FastAPI|flask|uvicorn]
        aiohttp
        adapter
        adapter [meaning|role|purpose|explained]
        which [part|process|component] [answers|serves|handles] [the API|requests|API requests|OpenAI requests]
        which component is the API server
        what process speaks OpenAI
        what is the thing called adapter
        what is meant by adapter
        which web framework is behind it
        what component do clients talk to
    """,
    "one-request": """
        what happens [to|with|during] a request
        how does [a request|one request|a chat request] [flow|travel|pass|go] through {fh}
        how [is|are] [a request|requests] [handled|processed|treated|served]
        [describe|explain|what is|trace] the [path|life|journey|flow|lifecycle|way] of [a|one] request
        [request|] [lifecycle|pipeline|flow|path]
        what [steps|stages] does a request go through
        how does {fh} [work|work inside|work internally|function|process a prompt]
        what is the internal [flow|pipeline|process]
        what does {fh} do with [my request|a prompt|an incoming request|each request]
        from request to answer, what happens
        how is an answer [made|produced|created]
        internals of {fh}
        under the hood [what happens|]
        what happens between [my prompt|the question] and the answer
        how does it work [under the hood|inside|technically|]
        architecture of a request
        walk me through one request
    """,
    "port-adapter": """
        [what|which] {port} [does|is] {adapter} [use|on|listen on|listening on|bound to|bind to|run on|serve on|have]
        {which} {port} [does|is] {adapter} [listen|listening|run|answer|running|served]
        {whatis} the {port} [of|for|used by] {adapter}
        {adapter} {port}
        {port} of {adapter}
        {port} {adapter}
        where [does|is] {adapter} [listen|listening]
        {forgot} the {port} [of|for] {adapter}
        [what|which] {port} does {name} [use|listen on|run on|serve on|need|open]
        {whatis} [Farmhand's|the farmhand|the default|the standard|the main|your] {port}
        [default|main|standard|farmhand|api|server] {port}
        port number of the api server
        [what|which] {port} is the [API|OpenAI API|OpenAI endpoint|OpenAI server|HTTP API] on
        [what|which] {port} should I [connect to|use|open|point to|dial] for [the API|chat|the adapter|Farmhand|the OpenAI API]
        what is [on|running on|behind|listening on] port 8888
        [what|who] [uses|owns|is on|listens on] [port |]8888
        8888
        port 8888
        is 8888 [the right port|the adapter port|right|correct]
        on which port will I find {adapter}
        what number do I put after the colon
        what's the number of the door {adapter} answers at
        which port speaks OpenAI
        [which|what] port for the api
    """,
    "port-litellm": """
        [what|which] {port} [does|is] {litellm} [use|on|listen on|listening on|bound to|run on|serve on|have]
        {which} {port} [does|is] {litellm} [listen|listening|run|answer|running]
        {whatis} the {port} [of|for|used by] {litellm}
        {litellm} {port}
        {port} of {litellm}
        {port} {litellm}
        {port} for {litellm}
        where [does|is] {litellm} [listen|listening|reachable|to be found]
        {forgot} the {port} [of|for] {litellm}
        {forgot} the [number|port number] LiteLLM [listens|runs|sits] on
        what is [on|running on|behind|listening on] port 4000
        [what|who] [uses|owns|is on|listens on] [port |]4000
        4000
        port 4000
        is 4000 the [proxy|LiteLLM] port
        [what|which] {port} should I [connect to|use|open] for [LiteLLM|the proxy|the litellm proxy]
        [how do I|how can I] reach [LiteLLM|the proxy]
        proxy {port}
        [what|which] {port} is the optional proxy on
        on which port will I find the LiteLLM proxy
        [address|url] of [LiteLLM|the LiteLLM proxy|the proxy]
    """,
    "port-openclaw": """
        [what|which] {port} [does|is] {openclaw} [use|on|listen on|listening on|bound to|run on|serve on|have]
        {which} {port} [does|is] {openclaw} [listen|listening|run|answer|running]
        {whatis} the {port} [of|for|used by] {openclaw}
        {openclaw} {port}
        {port} of {openclaw}
        {port} {openclaw}
        {port} for {openclaw}
        where [does|is] {openclaw} [listen|listening|reachable|to be found]
        {forgot} the {port} [of|for] {openclaw}
        {forgot} the [number|port number] {openclaw} [listens|runs|sits] on
        what is [on|running on|behind|listening on] port 18789
        [what|who] [uses|owns|is on|listens on] [port |]18789
        18789
        port 18789
        is 18789 the [gateway|OpenClaw] port
        [what|which] {port} should I [connect to|use|open] for [OpenClaw|the gateway|the agent gateway]
        [how do I|how can I] reach [OpenClaw|the gateway]
        gateway {port}
        on which port will I find {openclaw}
        [address|url] of [OpenClaw|the OpenClaw gateway|the gateway process]
    """,
    "port-inferrlm": """
        [what|which] {port} [does|is] {inferrlm} [use|on|listen on|listening on|bound to|run on|serve on|have]
        {which} {port} [does|is] {inferrlm} [listen|listening|run|answer|running]
        {whatis} the {port} [of|for|used by] {inferrlm}
        {inferrlm} {port}
        {port} of {inferrlm}
        {port} {inferrlm}
        {port} for {inferrlm}
        where [does|is] {inferrlm} [listen|listening|reachable|to be found]
        {forgot} the {port} [of|for] {inferrlm}
        {forgot} the [number|port number] {inferrlm} [listens|runs|sits] on
        what is [on|running on|behind|listening on] port 8889
        [what|who] [uses|owns|is on|listens on] [port |]8889
        8889
        port 8889
        is 8889 the InferrLM port
        [what|which] {port} should I [connect to|use|open] for {inferrlm}
        [how do I|how can I|how does Farmhand] reach {inferrlm}
        on which port will I find {inferrlm}
        [address|url] of {inferrlm}
        default {port} of the inferrlm [server|app|engine]
    """,
    "port-localllm": """
        [what|which] {port} [does|is] {localllm} [use|on|listen on|listening on|bound to|run on|serve on|have]
        {which} {port}[s|] [does|is] {localllm} [listen|listening|run|answer|running]
        {whatis} the {port} [of|for|used by] {localllm}
        {localllm} {port}
        {port} of {localllm}
        {port}[s|] {localllm}
        {port} for {localllm}
        where [does|is] {localllm} [listen|listening|reachable|to be found]
        {forgot} the {port} [of|for] {localllm}
        {forgot} the [number|port number] {localllm} [listens|runs|sits] on
        what is [on|running on|behind|listening on] port [8099|8080]
        [what|who] [uses|owns|is on|listens on] [port |][8099|8080]
        [8099|8080]
        port [8099|8080]
        is [8099|8080] the LocalLLM port
        [what|which] {port}[s|] should I [connect to|use|open] for {localllm}
        [how do I|how can I|how does Farmhand] reach {localllm}
        on which port[s|] will I find {localllm}
        [address|url] of {localllm}
        default {port} of the localllm [server|app|engine]
    """,
    "ports-all": """
        {whatare} [all |][the |]ports
        [what|which] ports [are used|are there|are in use|does {fh} use|are involved|do the services use|are open|does everything use|exist]
        list [of |][all |]ports
        [all|every] [ports|port]
        ports
        [overview|table|summary] of [the|all] ports
        which services listen on which ports
        which port belongs to [which|what]
        [give|show] me [all the|every|the complete list of|the list of] [port|ports|port numbers]
        port [list|overview|table|numbers|map|assignments]
        what port numbers [matter|are used|should I know|are there]
        every port number [please|]
        which ports should I [know|remember|open|allow|unblock]
        what are all the port numbers
        ports of all services
        name every port that {fh} and its friends use
        which ports do I need
    """,
    "base-url": """
        {whatis} the [base url|base-url|base_url|API url|api base|OpenAI base url|API address|url|endpoint url|root url|server url|api base url]
        [what|which] [base url|base_url|API base|url|address|endpoint address] [do I use|should I use|do I enter|do I put in|do I need|must I give|shall I configure|do clients use]
        [base url|base_url|api base|openai base url|OPENAI_BASE_URL|OPENAI_API_BASE|api url|server url]
        what do I [put|enter|write|fill in|type] [as|for|into] [the base url|OPENAI_BASE_URL|the api base|base_url|the url field|OPENAI_API_BASE]
        {forgot} the [base url|API url|url|address of the API|base_url|endpoint]
        at [what|which] [address|url] [is|can I reach|do I find] [{fh}|the API|the OpenAI API|the server]
        where [is|do I find|can I find] the [API|OpenAI API|endpoint|OpenAI endpoint]
        {whatis} the [full|complete|exact] [address|url] [of the API|of Farmhand|of the server|]
        [address|url] of [{fh}|the API|the server|the adapter]
        which [address|url] does {fh} [answer|have|listen] at
        what is the OpenAI compatible [endpoint|url|address]
        what [host and port|address] should [a client|my client|I] use
        link to the API
        where should requests be sent
        to which url do I send requests
        set base url to what
        what goes into base_url
    """,
    "change-port": """
        {howdo} [change|set|choose|configure|move|modify|pick|override|alter] the [port|adapter port|port number|listening port|server port|default port]
        {howdo} [use|run on|listen on|serve on|bind to] [another|a different|my own|some other] port
        can [the port|port 8888|the adapter's port|the default port] be [changed|configured|different|moved]
        [change|changing|set|different|custom|other|configure] port
        I [want|need|prefer|would like] [port 9000|another port|a different port|port 5000|port 8000|port 80] [instead of 8888|for the adapter|for farmhand|]
        where [do I|can I] [set|change|configure] the port
        {howdo} make {fh} listen on [port 9000|port 5000|another port|9999|a different port|8000]
        how to switch {fh} to port [9000|9999|5000|1234|7000]
        which setting [changes|controls|sets] the port
        is the port [configurable|fixed|hard coded|adjustable]
        run {fh} on [port 9000|another port|a different port|port 8001]
        which option sets the port
        move the adapter [to another port|away from 8888]
        port [option|setting|configuration|flag]
        I don't like port 8888
        replace port 8888 with [another one|9000]
        must it be [port |]8888
    """,
    "port-in-use": """
        [the |][port|port 8888|adapter port] is [already in use|taken|busy|occupied|used by another program|blocked|in use]
        [address|port] already in use
        [what if|what do I do when|what should I do if|what to do if] the port is [taken|in use|busy|occupied|already used|not free]
        EADDRINUSE
        OSError: [Errno 98|errno 98] [address already in use|]
        I {get} address already in use
        {fh} [won't|doesn't|cannot|can't] start because the port is [taken|in use|occupied|busy]
        another program [uses|is using|holds|has taken|occupies|sits on] [my port|port 8888|8888|the port]
        something else is [on|using|running on|listening on] [8888|port 8888|the port]
        bind failed: address already in use
        cannot bind [to port 8888|port 8888|the port|]
        error while attempting to bind on address
        port conflict
        port clash
        8888 is [taken|occupied|busy|not free|in use already]
        [two|both] [programs|servers] want [the same port|8888]
        [jupyter|my other server|another server] already [uses|has|occupies] [8888|port 8888|that port]
        the adapter says the port is taken
        bind error
    """,
    "bind-host": """
        [can|how can|how do] [other devices|another computer|other phones|my tablet|the LAN|people on my wifi|my network|someone else] [reach|access|use|connect to] {fh}
        [can|may] I [reach|use|access] {fh} [over wifi|from the LAN|over the network|from another device|from outside|over the local network|through wifi]
        [which|what] [host|address|interface|ip|network interface] does {fh} [bind to|listen on|bind]
        {howdo} [expose|open|share|publish] {fh} [to the network|to the LAN|on my wifi|to other devices|to others|to the outside|]
        {howdo} [bind to 0.0.0.0|listen on all interfaces|change the host|set the host|use 0.0.0.0|bind to another address]
        is {fh} [reachable|visible|accessible|exposed|open] [from outside|on the network|from other devices|in my LAN|to everyone|to the internet|on the wifi]
        who can [reach|connect to|access] [it|the server|{fh}|the adapter]
        0.0.0.0
        [host|bind address|bind host|listen address] [setting|option|]
        [LAN|wifi|network|remote] access
        does it listen [on loopback only|only on localhost|on localhost|only locally|on all interfaces]
        is it [only local|loopback only|localhost only]
        my friend wants to use my server over wifi
        let [my tablet|another phone|other people] use {fh}
        allow connections from other [devices|machines|hosts]
        can the internet see my server
        default host
        what is the host [setting|address]
        which ip address does {fh} [have|use|listen on]
        make {fh} public
    """,
    "engines": """
        [what|which] [engines|engine kinds|kinds of engine|engine types|backends|kinds of engines|inference engines] [are there|does {fh} have|are supported|exist|does {fh} support|can I use|are available|do you know|does {fh} know]
        {whatare} [the |][engines|engine kinds|engine types|backends|kinds of engine|available engines|supported engines|inference backends]
        list [of |][all |]engines
        how many [engines|engine kinds|kinds of engines|backends] [are there|does {fh} have|does {fh} know|exist]
        engines
        {tell} [the |]engines
        {whatis} an engine
        what does engine mean
        what kinds of engine can answer
        [engine kinds|engine types|engine list|supported engines|available backends]
        [which|what] values can kind [have|take]
        what can I write [for|after|as] kind [in the config|]
        what [produces|generates|makes] the [tokens|answers|text]
        who [generates|computes|writes] the answers
        through [what|which engines] does {fh} answer
        what can {fh} use to answer
        what are the four engines
        name the four engine kinds
        what sort of backends
    """,
    "engine-inferrlm": """
        {whatis} {inferrlm}
        {tell} {inferrlm}
        what does {inferrlm} do
        what is the inferrlm engine
        {tell} the inferrlm engine
        what is {inferrlm} [for|good for|used for]
        why [do I need|use|would I use] {inferrlm}
        {inferrlm}
        {inferrlm} [engine|meaning|explained]
        how does {fh} [use|talk to|work with] {inferrlm}
        what [kind|sort] of app is {inferrlm}
        is InferrLM an app
        which api does [InferrLM|the inferrlm engine] use
        does {fh} use the native api of {inferrlm}
        I don't know {inferrlm}
        who is {inferrlm}
        what role does {inferrlm} play
    """,
    "engine-localllm": """
        {whatis} {localllm}
        {tell} {localllm}
        what does {localllm} do
        what is the localllm engine
        {tell} the localllm engine
        what is {localllm} [for|good for|used for]
        why [do I need|use|would I use] {localllm}
        {localllm}
        {localllm} [engine|meaning|explained]
        how does {fh} [use|talk to|work with] {localllm}
        what [kind|sort] of app is {localllm}
        is LocalLLM an app
        what is LiteRT-LM
        which app runs LiteRT[-LM|] models
        [LiteRT|LiteRT-LM|litert]
        how do I use LiteRT models
        which models does {localllm} run
        I don't know {localllm}
        what role does {localllm} play
    """,
    "engine-llama": """
        {whatis} the llama engine
        {tell} the llama engine
        what does the llama engine do
        {whatis} the [embedded engine|built-in engine|safety net|internal engine|bundled engine]
        [which|what] engine is [embedded|built in|the safety net|in the bundle|bundled|the fallback]
        does {fh} [use|include|contain|embed|have|ship] [llama.cpp|llama-cpp-python|llama cpp]
        llama engine
        llama
        [llama.cpp|llama-cpp-python|llama cpp]
        what is llama-cpp-python [used for|for|]
        is there an engine without an app
        which engine works without [any app|an app|other apps]
        what runs GGUF [files|models]
        what is kind = "llama"
        [which|what] library [is behind|does] the llama engine [use|]
        what if no app is installed
        role of llama.cpp in {fh}
        what is the engine of last defence
        explain kind llama
        in which engine does llama.cpp live
        does the llama engine run in [its own process|a worker process]
    """,
    "engine-openai": """
        {whatis} the openai engine
        {tell} the openai engine
        what does the openai engine do
        can {fh} use [Ollama|vLLM|LM Studio|llama-server|another phone|an OpenAI server|OpenVINO|MLX|a remote server|the real OpenAI|another server]
        does {fh} [work|talk|speak] [with|to] [Ollama|vLLM|LM Studio|llama-server|another phone|OpenVINO|MLX|other OpenAI servers|AFM]
        is [Ollama|vLLM|LM Studio|llama-server|OpenVINO|MLX|another OpenAI server] supported
        [ollama|vllm|lm studio|llama-server|openvino|mlx]
        what is kind = "openai"
        which servers can the openai engine [use|talk to|reach]
        openai engine
        [which|what] engine [is for|talks to|do I use for|should I use for] [Ollama|vLLM|LM Studio|other servers|a remote server|another server|any OpenAI server]
        can I [forward|route|pass|send] requests to [another server|Ollama|my PC|vLLM|a remote machine|my workstation]
        can one phone use another phone
        can requests go to a server on my desk
        explain kind openai
        what is the engine for foreign servers
        may I use my desktop's [ollama|lm studio|gpu server] as [an engine|a backend]
        chain two farmhands
        use an external OpenAI compatible server
    """,
    "engine-echo": """
        {whatis} the echo engine
        {tell} the echo engine
        what does the echo engine do
        echo engine
        echo
        what is echo [for|good for]
        what is kind = "echo"
        [which|what] engine [has no model|needs no model|is for tests|is meant for testing|works without a model]
        is there [an engine without a model|a fake engine|a test engine|a dummy engine|a mock engine]
        [dummy|fake|mock|test] engine
        why is there an echo engine
        when [do|would] I use [the echo engine|echo]
        {howdo} test without [any|a] model
        explain kind echo
        which engine just repeats [the prompt|what I say]
        an engine that answers from the prompt
    """,
    "engine-order": """
        [in what|in which|what] order are [the engines|engines|backends] [tried|used|chosen|asked]
        [which|what] engine [comes first|is first|is tried first|is preferred|has priority|is best|is used first|goes first]
        [which|what] engine [is the fastest|should I use|do you recommend|is recommended]
        does {fh} use [the GPU|GPU|the NPU|NPU|the TPU|hardware acceleration|graphics|the graphics chip]
        [GPU|NPU|TPU|hardware acceleration|GPU support|acceleration|vulkan]
        how [does|can] {fh} [use|reach|get to] the [GPU|NPU|GPU and NPU|accelerator]
        why do [native apps|the apps|apps] come first
        why are [the native apps|native apps|apps|InferrLM and LocalLLM] preferred
        engine [order|priority|preference|ranking]
        what is the [preference|priority|ranking] of [the engines|engines]
        which [part|engine|app] [reaches|uses|runs on] the [GPU|NPU|GPU or NPU]
        native apps or [llama|the embedded engine]
        is the GPU [used|supported]
        can it run on the [gpu|npu|tensor chip|graphics processor]
        how does {fh} [choose|pick|select|decide on] an engine
        why prefer the apps over the llama engine
        apps versus embedded engine
        why not only llama.cpp
    """,
    "add-engine": """
        {howdo} [add|configure|define|declare|register|set up|include] [an engine|a new engine|another engine|a backend|an extra engine|my own engine]
        {howdo} [add|connect|configure|hook up|attach|plug in] [Ollama|vLLM|LM Studio|an Ollama server|my own server|a remote server|llama-server] [as an engine|to farmhand|]
        [add|adding|new|another|second|configure] engine
        where do I [add|configure|define|put|list] [engines|an engine|a new engine]
        what does an engine [block|entry|section] look like
        {whatis} {engineblock}
        {engineblock}
        how is an engine [configured|added|defined|declared]
        engine [block|section|config|configuration|entry]
        what must I write in the config for [an engine|a new engine|ollama|another engine]
        example of an engine [block|config|definition|entry]
        what goes into config.toml for [an engine|ollama|a new backend|vLLM]
        tell {fh} about a new engine
        what keys does an engine block [have|need]
        I have a server running, how do I make it an engine
        syntax for declaring engines
        plug another backend into {fh}
    """,
    "worker-process": """
        why is the llama engine [a child process|in a process of its own|a separate process|in its own process|isolated|in a worker]
        why [is there|do you need|use] a [worker|worker process|child process|separate process|llama worker]
        what happens [if|when] the [llama engine|llama worker|worker|embedded engine|native code] [crashes|dies|is killed|runs out of memory|segfaults|aborts]
        does a [crash|segfault|llama crash|native crash] [take down|kill|stop|bring down] [the API|the adapter|the server|everything]
        [worker process|child process|llama worker|worker]
        {whatis} the [llama worker|worker process|worker|child process]
        why not run llama in the [adapter|same process|main process]
        [out of memory|oom|OOM kill|segfault|segmentation fault] in [the llama engine|llama|the worker]
        is the llama engine isolated
        what protects the API from [a crash|native crashes|llama crashes]
        can a bad model crash the [server|adapter|API]
        will the API go down if llama crashes
        reason for the separate llama process
        llama crashed, is the API dead
        process isolation
        what if llama.cpp aborts
    """,
    "tools-schemas": """
        [does|can] {fh} [support|do|handle|use] [tools|tool calls|function calling|tool calling|functions|JSON schema|JSON schemas|structured output|json mode|structured outputs|response_format]
        [are|is] [tools|tool calls|function calling|JSON schemas|structured output|json mode|schemas] [supported|possible|available|emulated|working]
        [tools|tool calls|function calling|tool calling|json schema|structured output|json mode|schemas|response_format|function calls|structured output]
        which engines [support|can do|have] [tools|tool calls|function calling|schemas|JSON schemas|structured output]
        do [tools|tool calls|functions|schemas|JSON schemas] work [with InferrLM|with LocalLLM|on every engine|everywhere|with the apps|on all engines]
        {howdo} [get|force|enforce|request] [JSON output|valid JSON|structured output|JSON answers|a JSON reply]
        can I [use|pass|send|define] [tools|functions|a schema|a JSON schema|a tool list|a response_format]
        can the model call [functions|tools]
        what if [an app|the engine|InferrLM] [has no|lacks|does not support] [tools|schemas|function calling]
        how are tools [emulated|done|implemented]
        does it do function calling
        my agent needs tools
        pydantic structured results
        are tool calls checked
        output that follows a schema
    """,
    "prefix-cache": """
        [does|can] {fh} [cache|keep|remember|store|reuse|save] [prompts|prefixes|prompt prefixes|the prompt|the KV cache|system prompts|the context]
        {whatis} [the |][prefix cache|prompt cache|prefix caching|prompt caching|prefix reuse|KV cache]
        [prefix cache|prompt cache|prefix caching|prompt caching|prefix reuse|kv cache|prefixes]
        {tell} [the |][prefix cache|prompt cache|prefixes|KV files|prefix caching]
        how does {fh} handle [long prompts|agent prompts|huge prompts|31000 tokens|long system prompts|very long agent prompts|agent-sized prompts]
        why is the second [request|prompt|call|question] [faster|so fast|quicker]
        are [long prompts|prefixes|prompts] [cached|saved to disk|kept|processed again]
        does a long [agent |]prompt [cost|take] minutes every time
        must a long prompt be [processed|computed|read] [again|every time|each time]
        what are KV files [for|]
        is the prompt [cache|prefix] [kept|restored] after a [restart|kill|crash|reboot]
        how can agents with 31,000 tokens work on a phone
        can a phone handle agent sized prompts
        is the same system prompt processed twice
        speed up repeated prompts
        first prompt takes minutes, later ones are quick, why
        what is saved to disk between prompts
    """,
    "slots": """
        {whatis} [a slot|slots|the slots setting|the slots key]
        what [does|do] slots [mean|do]
        how many [requests|clients|users|chats|answers|prompts|conversations] [can|does] [the llama engine|llama|the embedded engine|{fh}] [answer|serve|handle|run|process] [at the same time|in parallel|at once|simultaneously|concurrently]
        [slots|slot|parallel requests|slots setting|number of slots]
        {howdo} [set|change|raise|increase|configure|lower] [the number of slots|slots|parallelism|concurrency|the slots]
        explain [slots|slots = 4]
        what is slots = 4
        [parallel|simultaneous|concurrent] [requests|answers|generation] [with llama|in the llama engine|]
        can the llama engine [answer several|serve multiple|batch|run parallel] requests
        {tell} slots
        which setting controls parallel requests
        how much parallelism does the embedded engine have
        how many seats does the llama engine have
        several answers at once
        what is the slot count
        does the embedded engine batch requests
    """,
    "ctx-tokens": """
        {whatis} ctx_tokens
        what does ctx_tokens [mean|do|set]
        {howdo} [set|change|raise|increase|enlarge|configure|extend|reduce] the [context|context length|context size|context window|ctx size]
        [ctx_tokens|context length|context size|context window|n_ctx|ctx|context]
        how [long|big|large] is the context [of a slot|window|of the llama engine|]
        where [do I|can I] set the context [length|size|window]
        which setting [controls|sets|changes] the context [length|size|window]
        how many tokens [fit|does a slot hold|can a slot take|fit into the context|of context do I have]
        I [need|want] [a longer|a bigger|more|a larger] context
        explain ctx_tokens = 4096
        {tell} ctx_tokens
        [more|longer|bigger] context
        what is ctx_tokens = 4096
        context per slot
        default context of the llama engine
        how much can the embedded engine remember in one chat
    """,
    "queue": """
        how many requests can [an app|InferrLM|LocalLLM|one app] [handle|serve|answer|take] [at once|at the same time|at a time|]
        what happens [when|if] [two|several|many|three] [clients|requests|programs|people|users] [come|ask|arrive|connect] at [once|the same time]
        {tell} [the |]queue
        {whatis} [the |]queue
        [do|are] requests [wait|queued|lined up|put in a queue]
        [queue|queueing|fair queue|seat|seats]
        how does [the queue|queueing|waiting] work
        is the queue [fair|bounded|limited]
        what happens when a client [leaves|disconnects|hangs up|goes away|closes the connection|cancels]
        two [clients|users|programs] at [once|the same time]
        does a request wait while another one [runs|is running|is answered]
        who is served first
        what does one seat per app mean
        is there a limit on waiting requests
        what if I [cancel|abort|disconnect from] [a request|my request|an answer]
        how are simultaneous requests to InferrLM handled
        does a client that gives up block the others
        in what way are waiting requests ordered
    """,
    "vision-embeddings": """
        [does|can] {fh} [support|do|handle|make|understand|take|accept] [images|vision|embeddings|pictures|photos|image input|multimodal|screenshots]
        [are|is] [images|vision|embeddings|pictures|image input|multimodal input] [supported|possible|available]
        [images|vision|embeddings|pictures|multimodal|image input|embedding]
        can I [send|use|upload|attach|pass] [an image|images|a picture|a photo|pictures|a screenshot]
        {howdo} [get|make|create|compute] [embeddings|an embedding|vectors|embedding vectors]
        which engine [does|handles|can do] [vision|images|embeddings|pictures]
        what is [routing by capability|capability routing|meant by capability]
        how does {fh} route [requests|images|embeddings|vision requests]
        what happens [to|with] [images|a picture|embedding requests]
        is there an embeddings endpoint
        can it look at [a photo|pictures]
        capability
        capabilities of engines
        text embeddings
        how is the engine matched to what a request needs
    """,
    "memory": """
        what about [memory|RAM]
        how does {fh} [handle|manage|deal with|watch|treat] [memory|RAM|memory use|low memory]
        [memory|RAM|free memory|memory check|ram usage|low memory]
        what [happens if|if|happens when] [there is not enough|the phone has too little|memory is|there's too little] [memory|RAM|low]
        does {fh} check [the |][memory|RAM|free memory] [before loading|before a load|before it loads a model|]
        will [a big model|a large model|loading a model] [crash|kill|freeze|hang] my phone
        how much [memory|RAM] [does {fh} need|is needed|do I need|does a model need]
        {tell} [memory|RAM|memory use|memory admission]
        can [Android|the phone|the system] kill {fh} for [memory|using too much memory|its memory use]
        how does {fh} avoid [running out of memory|being killed by Android|out of memory kills|OOM]
        is memory checked before a [model is loaded|load]
        what does it mean that memory is admitted before a load
        not enough [memory|RAM]
        model too big for [the phone|my RAM]
        what prevents Android from killing it while loading
    """,
    "heat": """
        what [happens|does {fh} do] [when|if] the phone [gets|is|becomes|runs] [hot|too hot|warm|overheated]
        my phone [gets|is|becomes|runs] [hot|very hot|warm|too warm|overheating|burning]
        [heat|temperature|overheating|thermal throttling|thermals|cooling|hot phone]
        does {fh} [throttle|slow down|watch the temperature|care about heat|protect the phone from heat|monitor the temperature]
        {tell} [heat|temperature|thermal throttling|overheating]
        what about [heat|temperature|overheating]
        how does {fh} [handle|deal with|react to] [heat|high temperature|overheating|a hot phone]
        can {fh} [overheat|damage|burn|melt] my phone
        is there [thermal protection|a temperature limit|heat protection|thermal throttling]
        the device is overheating
        phone too warm
        what does it do about temperature
        will my phone overheat
        does the phone cook itself
        why does it pause when the phone is hot
        thermal management
    """,
    "battery": """
        what [happens|does {fh} do] [when|if] the battery [is low|gets low|is empty|runs down|is nearly empty|drains]
        [battery|low battery|power|charge|charging|battery level|energy]
        does {fh} [drain|use up|eat|kill|watch|monitor|care about] [the|my] battery
        {tell} [the |]battery
        what about [the |][battery|power|battery life]
        how does {fh} [handle|deal with|react to|treat] [the |][battery|low battery|a low battery|a weak battery]
        my battery is [low|empty|almost empty|at 10%|draining|at 5 percent|nearly flat]
        do I have to [charge|plug in] the phone
        should the phone be [plugged in|charging|on the charger|on a cable]
        must I keep the phone [plugged in|on a charger|charging]
        battery [usage|drain|policy|watch]
        does it pause on low battery
        is there a battery limit
        will it run down my battery
        how hungry is {fh} for power
        what if the phone is running out of juice
        charger needed
    """,
    "cores": """
        [which|what] [cores|CPU cores|cpus|processors] [does {fh} use|does the llama engine use|are used|compute]
        does [{fh}|the llama engine|llama] use [all cores|all CPU cores|the big cores|the little cores|every core|efficiency cores|small cores]
        [cores|cpu cores|big cores|cpu|threads|little cores]
        how many [cores|threads|CPU cores] [are used|does {fh} use|does the llama engine use|does llama take]
        on [which|what] cores does [the llama engine|llama|it] [run|compute]
        {tell} [the |][cores|CPU use|cpu cores|threads]
        big or little cores
        big.LITTLE
        why [big cores only|only the big cores|not all cores]
        are the [small|little|efficiency] cores used
        cpu usage
        which part of the cpu does the work
        performance cores
        thread count
    """,
    "slow": """
        why is [it|{fh}|the answer|the phone|the model|my phone|generation|everything] [so |][slow|sluggish|taking so long|taking forever|laggy]
        {howdo} [make it faster|speed it up|speed up {fh}|get faster answers|improve the speed|make {fh} faster|increase the speed|get more tokens per second]
        [the answers|answers|replies|responses] [are|come] [so |][slow|very slow|slowly|too slow]
        it is [slow|very slow|too slow|so slow|extremely slow]
        it takes [forever|ages|minutes|too long|very long] [to answer|to reply|until the first word|]
        [slow|speed|performance|faster|tokens per second|too slow|slow answers]
        how fast is [{fh}|it|the phone]
        [what|anything] can I do [against slowness|about the speed|for more speed|to speed things up]
        [tips|advice|hints] for [speed|better performance|faster answers]
        the first token takes [long|ages|a minute]
        waiting [forever|ages|minutes] for an answer
        why does it take so long
        long prompts are slow
        how can answers come quicker
        improve [performance|latency|speed]
        it crawls
        low tok/s
        reduce latency
    """,
    "wake-lock": """
        {whatis} [the|a] wake lock
        {tell} [the |][wake lock|wakelock]
        why [does {fh} need|is there|do I need|hold|does it take] a [wake lock|wakelock]
        [wake lock|wakelock|termux-wake-lock|wake-lock]
        {howdo} [keep the phone awake|keep Android from sleeping|prevent sleep|stop Android from suspending Termux|keep Termux awake|keep it alive in the background]
        [who|what] [holds|takes|has|acquires] the [wake lock|wakelock]
        what does the wake lock do
        does {fh} hold a [wake lock|wakelock]
        [what happens|what if|does it stop] when the [screen is off|phone sleeps|display turns off|screen goes dark|phone is idle]
        does {fh} [work|run|continue] [with the screen off|in the background|while the phone sleeps|when the screen is locked]
        Android puts [Termux|it] to sleep
        my phone falls asleep
        phone goes to sleep and the server stops
        how does it stay awake
        keeps running with the display off
        prevent android from dozing
        purpose of termux-wake-lock
        doze mode
    """,
    "supervisor": """
        {whatis} the supervisor
        {tell} the supervisor
        what does the supervisor [do|watch]
        [supervisor|phone supervise|python -m phone supervise]
        [who|what|which process|which part] [watches|monitors|controls|orders|manages|looks after] [the services|the other services|the battery and heat|all services|the processes|memory]
        what is the [role|job|task|purpose] of the supervisor
        why [is there|do I need] a supervisor
        which process [orders|manages|controls] the others
        what does farmhand do on the phone besides the API
        what is python -m phone supervise
        the boss of the services
        who is in charge of the services
        which component keeps an eye on [battery|heat|memory]
        supervisor [job|duties|tasks|explained]
        what are the duties of the supervisor
        who looks after battery, heat and memory
    """,
    "supervisor-dies": """
        what happens [if|when] the supervisor [dies|crashes|is killed|stops|fails|goes down]
        [can|may|should] I kill the supervisor
        is it [safe|dangerous|bad|ok] to kill the supervisor
        does killing the supervisor [interrupt|stop|break|cut|hurt] [answers|running answers|anything|a request|my chat]
        [supervisor crash|supervisor dies|kill supervisor|supervisor killed]
        if the supervisor dies, are answers lost
        what if Android kills the supervisor
        who takes over when the supervisor dies
        will I lose my answer if the supervisor is restarted
        does the supervisor have a successor
        supervisor died
        I killed the supervisor by accident
        can the supervisor be restarted while answers are running
        effect of a supervisor crash
    """,
    "runit": """
        {whatis} runit
        {tell} [runit|termux-services|sv]
        [runit|termux-services|runsvdir|sv|sv status]
        [who|what] [restarts|keeps alive|supervises|revives] [the services|a service|a dead service|services|processes]
        what [keeps|is keeping] [the services|services|the processes|each service] alive
        does {fh} use [runit|systemd|termux-services|supervisord|init]
        {whatis} [termux-services|sv|runsvdir]
        how are [services|the services|processes] [supervised|kept alive|restarted]
        is [systemd|docker|supervisord] used
        what is the [init system|service manager|process manager]
        why [runit|termux-services]
        [which|what] service manager does {fh} [use|rely on]
        what does sv do
        who starts a service again when it dies
        do I need termux-services
        role of runit
    """,
    "start-order": """
        in [what|which] order [do|are|does] [the services|services|things|the processes|the parts|everything] [start|started|come up|begin|brought up]
        {whatis} the [start order|startup order|boot order|start-up sequence|order of starting|startup sequence]
        what [starts|is started|comes up] [first|before the adapter|last|after the adapter|next]
        [start order|startup order|order of services|boot sequence|startup sequence|start sequence]
        [which|what] service [starts|comes|is started] [first|last]
        does [litellm|the adapter|openclaw|LiteLLM] start [before|after] [the adapter|openclaw|litellm|the wake lock]
        in what order are they stopped
        {whatis} the [stop|shutdown] order
        what is [stopped|shut down] first
        what is the sequence [of starting|in which things start|at start]
        order in which the supervisor starts things
        first the adapter or first LiteLLM
        is OpenClaw started last
        list the start sequence
        does the wake lock come first
        how does the bundle come up, step by step
    """,
    "crash-loop": """
        what happens [if|when] a service [keeps crashing|crashes again and again|crashes in a loop|crashes all the time|crashes repeatedly|fails over and over]
        [crash loop|crashloop|crash looping|restart loop|give up|gives up|backoff]
        a service [keeps crashing|crashes again and again|is in a crash loop|restarts over and over|keeps dying|won't stay up]
        {whatis} a crash loop
        does {fh} [give up|retry for ever|restart forever|back off|keep restarting]
        how often [is a service restarted|does it restart a crashed service]
        when does {fh} give up
        why did {fh} give up
        my [adapter|litellm|openclaw] [keeps crashing|crashes again and again|keeps restarting|is crash looping]
        what does backoff mean
        how are crash loops handled
        is there a backoff
        will it restart a broken service for ever
        [the adapter|a process] dies every few seconds
        endless restarts
        it [says|reports|notifies] that it gave up
    """,
    "boot": """
        does {fh} start [after a reboot|at boot|on boot|automatically|by itself|when the phone starts|on its own|after restarting the phone]
        {howdo} [start {fh} at boot|start {fh} automatically|autostart {fh}|make {fh} start on boot|launch {fh} after a reboot|have it come up at boot]
        [boot|autostart|Termux:Boot|start on boot|reboot|auto start|termux boot|at boot|startup]
        what happens [after|when] [a reboot|I reboot|the phone reboots|I restart the phone|the phone restarts|I reboot my phone|a restart of the phone]
        what is Termux:Boot [for|]
        I rebooted [the phone|my phone] and {fh} is [gone|not running|down|off]
        after a reboot {fh} [does not start|is not running|doesn't come up]
        {tell} [Termux:Boot|autostart|booting]
        do I need Termux:Boot
        will it survive a [reboot|restart of the phone]
        must I unlock the phone after a reboot
        which app starts {fh} [at boot|after a reboot]
        the phone was restarted
        how does it come back after power off
        automatic start
        run at phone startup
    """,
    "signal-9": """
        [Process completed (signal 9)|process completed signal 9|signal 9|killed by signal 9|Process completed (signal 9) - press Enter]
        Termux [says|shows|prints] [process completed|signal 9|Process completed (signal 9)]
        {whatis} [the |][phantom process killer|phantom processes|signal 9|phantom process]
        [phantom process killer|phantom processes|phantom killer]
        Android [kills|keeps killing|killed] [Termux|my processes|background processes|my session|the child processes|{fh}|the worker]
        why [does|did] Android kill [my processes|Termux|{fh}|background processes|the worker|child processes]
        {howdo} [disable|stop|turn off|switch off|get rid of|defeat] the phantom process killer
        my [processes|services|session] [are|is|get|gets] killed [by Android|by the system|in the background|for no reason]
        processes [disappear|vanish|die] in the background
        what about the 32 process limit
        child process restrictions
        developer options for {fh}
        [which|what] developer option [do I need|should I set]
        how do I stop android from killing background processes
        termux session died with 9
        sigkill [from android|out of nowhere|]
        something shoots down my services
    """,
    "battery-setting": """
        [which|what] [android settings|battery settings|android setting|battery setting|phone settings] [should I set|do I need|are needed|are recommended|must I change]
        {howdo} [disable|turn off|switch off|exempt Termux from] battery optimisation [for Termux|]
        [battery optimisation|battery optimization|battery saver|battery settings|unrestricted|battery restrictions]
        [battery saver|battery optimization|doze|adaptive battery] [stops|kills|slows|breaks|affects] [Termux|it|{fh}]
        should I [disable|turn off] battery [optimisation|optimization|saver]
        what [about|is with] battery [optimisation|optimization|restrictions|saver]
        what should the battery [use|usage|setting] of Termux be
        how should I set up Android for {fh}
        what must I set in the Android settings
        restricted or unrestricted battery
        app battery usage setting for termux
        what to choose for Termux under app battery usage
        optimized or unrestricted
        which battery mode for Termux
        android battery permission
    """,
    "commands": """
        {whatare} [the |][commands|farmhand commands|cli commands|subcommands|available commands|command line commands|sub commands]
        [what|which] [commands|subcommands] [are there|does {fh} have|can I use|exist|do I have|are available|can I type|does the cli know]
        list [of |][all |][the |]commands
        [commands|command list|cli|subcommands|command line|farmhand --help|farmhand help|usage|all commands]
        [show|give] me [all|the|every] [commands|command|subcommands]
        how [do I use|can I use] the command line
        what can I type after farmhand
        what can the farmhand command do
        [overview|summary|cheat sheet] of [the |]commands
        {tell} the [commands|cli|command line|farmhand command]
        how many commands are there
        what commands do you know
        command line interface
        cli reference
        every farmhand command
        which verbs does the farmhand command understand
    """,
    "cmd-serve": """
        {does} [farmhand serve|`farmhand serve`|the serve command|python -m adapter serve|serve]
        farmhand serve
        serve
        {type} [run|start|launch] [only the adapter|the adapter alone|just the adapter|the adapter in the foreground|only the API|just the API server|the adapter by itself]
        {howdo} [run|start|launch] [only the adapter|the adapter alone|just the adapter|the adapter in the foreground|just the API|the adapter without the rest|only the API server|the adapter by hand]
        {cmd} [runs|starts] [only the adapter|the adapter alone|the adapter in the foreground|just the API server]
        start the server in the foreground
        run in the foreground
        foreground
        adapter without supervisor
        run the adapter without the [bundle|supervisor|phone part|services]
        what is python -m adapter serve
        difference between farmhand serve and farmhand up
        serve or up
        is there a foreground mode
        on a laptop, how do I just run the API
    """,
    "serve-options": """
        [what|which] [options|flags|arguments|parameters|switches] does [farmhand serve|serve|the serve command|python -m adapter serve] [take|have|accept|know|support]
        {whatare} the [options|flags|arguments|parameters|switches] of [farmhand serve|serve|the serve command]
        [farmhand serve|serve] [options|flags|arguments|--help|help|parameters|switches]
        {howdo} [give|pass|use|specify] [a config file|another config file|a different config file|a config] [to serve|to farmhand serve|on the command line|when I start]
        is there a [--port|--host|--config] [option|flag]
        [--config|--host|--port]
        can I [pass|give] the config file on the command line
        command line [options|flags|arguments] of serve
        serve with another config file
        what can I add to farmhand serve
        which switches can follow serve
        start with a different config file
        which flags
    """,
    "cmd-up": """
        {does} [farmhand up|`farmhand up`|the up command|up]
        farmhand up
        up
        {type} [start|launch|bring up|run|boot|fire up|turn on|switch on] [everything|{name}|the bundle|the whole bundle|all services|the stack|the services|the whole thing|the server]
        {howdo} [start|launch|bring up|run|boot|fire up|turn on|switch on] [everything|{name}|the bundle|the whole bundle|all services|the stack|the services|the whole thing|the server]
        {cmd} [starts|launches|brings up|runs] [everything|{name}|the bundle|all services|the stack|the services|the server]
        start [everything|{name}|the bundle|all services|the stack|the services]
        [starting|launching|launch] {name}
        how is {name} started
        start it
        how do I get it running
        turn it on
        bring the bundle up
        how do you start this [thing|server|]
        it is not running, how do I start it
    """,
    "cmd-down": """
        {does} [farmhand down|`farmhand down`|the down command|down]
        farmhand down
        down
        {type} [stop|shut down|halt|end|quit|turn off|switch off|kill|terminate|close] [everything|{name}|the bundle|the whole bundle|all services|the stack|the services|the whole thing|the server]
        {howdo} [stop|shut down|halt|end|quit|turn off|switch off|kill|terminate|close] [everything|{name}|the bundle|the whole bundle|all services|the stack|the services|the whole thing|the server]
        {cmd} [stops|halts|shuts down|ends|turns off] [everything|{name}|the bundle|all services|the stack|the services|the server]
        stop [everything|{name}|the bundle|all services|the stack|the services|the server]
        [stopping|shutdown|shut down|shutting down] {name}
        how is {name} stopped
        stop it
        turn it off
        take the bundle down
        get it to stop
        I want it to stop running
        how do I make it quit
        exit {name}
    """,
    "restart": """
        {howdo} [restart|reboot|bounce|relaunch|reload|cycle] [{name}|everything|the bundle|the services|the server|all services|the stack|the adapter|it]
        {type} [restart|relaunch|bounce|reload] [{name}|everything|the bundle|the services|the server|all services|it]
        [restart|restarting|farmhand restart|restart farmhand|restart everything|relaunch|reload]
        is there a restart command
        {cmd} [restarts|reloads|relaunches] [{name}|everything|the services|the bundle]
        [stop|shut down] and start [{name}|everything|it] again
        start {name} again
        {name} needs a restart
        I changed the config, how do I [restart|reload|apply it]
        how do I reload the [config|configuration|settings]
        do I have to restart after [a config change|changing the config|editing config.toml]
        turn it off and on again
        off and on again
        apply new settings
        a fresh start of all services
    """,
    "cmd-status": """
        {does} [farmhand status|`farmhand status`|the status command|status]
        farmhand status
        status
        {type} [see|check|know|find out|learn] [the status|what is running|which services are up|whether it is running|the state of the services|if everything is up|which services run|if farmhand is running]
        {howdo} [see|check|know|find out|learn] [the status|what is running|which services are up|whether it is running|the state of the services|if everything is up|if farmhand is up|what's up|if it works]
        {cmd} [shows|tells|displays] [the status|what is running|which services are up|the state of the services|what runs|if services are ready]
        [which|what] services are [running|up|ready|alive]
        is [everything|{name}|the adapter|litellm|openclaw|the server] [running|up|ready|alive]
        [what is|what's] running [right now|at the moment|]
        [service status|state of services|check status]
        are my services up
        how do I know that it runs
        how can I tell whether farmhand is up
        did it start
        overview of running services
        are all services up and ready
    """,
    "cmd-logs": """
        {does} [farmhand logs|`farmhand logs`|the logs command|logs]
        farmhand logs
        logs
        {type} [see|read|view|show|follow|tail|get|open] [the logs|the log|log files|the log output|the logs of the services|what happened]
        {howdo} [see|read|view|show|follow|tail|get|open|inspect] [the logs|the log|log files|the log output|the logs of the services|the logging]
        {cmd} [shows|prints|displays|tails] [the logs|the log|log output|log lines]
        where [are|is|do I find|can I see|can I find] the [logs|log|log files|logfile|log output|logging]
        where does {fh} [log|write its log|log to]
        [log|logfile|log files|show logs|log output|logging]
        is there a log [file|]
        I want to see what happened [last night|earlier|]
        how do I look into the log
        read what the services printed
        where can I look up past messages of the adapter
        view output of the services
    """,
    "cmd-doctor": """
        {does} [farmhand doctor|`farmhand doctor`|the doctor command|doctor]
        farmhand doctor
        doctor
        {type} [find out what is wrong|diagnose a problem|check my setup|troubleshoot|find problems|check the installation|debug problems|find the fault]
        {howdo} [find out what is wrong|diagnose a problem|diagnose problems|check my setup|troubleshoot|find problems|check the installation|debug it|find the fault]
        {cmd} [finds|diagnoses|shows|explains|detects] [problems|what is wrong|faults|errors|what is broken|issues]
        something [is wrong|is broken|does not work|doesn't work|isn't right|went wrong]
        it [does not work|doesn't work|isn't working|is broken|won't work|fails|does nothing|stopped working]
        nothing works
        [{name}|my server|the server] [does not work|doesn't work|isn't working|is broken|won't start|does not start]
        what is wrong with [my setup|farmhand|my installation]
        [diagnosis|diagnostics|troubleshooting|self test|diagnose|troubleshoot|health check of my setup|debugging]
        I have a problem
        I am having trouble with [{name}|my setup]
        who can tell me what's broken
        is there a command that says what is wrong
        help, it's not working
        how do I debug
    """,
    "cmd-token": """
        {does} [farmhand token|`farmhand token`|the token command|token]
        farmhand token
        token
        what kinds of [keys|tokens] can [farmhand token|I] [make|create|have]
        can [keys|tokens|API keys] [expire|be named|have scopes|be scoped|be limited]
        [named|scoped|expiring|temporary|limited|short-lived|time-limited] [keys|key|tokens|token]
        do keys expire
        {howdo} make a key [that expires|for a week|with a name|with a scope|with limited rights|only for one app]
        {cmd} [makes|creates|manages|handles|issues] [keys|API keys|tokens]
        which command is for keys
        command for API keys
        key management
        {howdo} manage [my |][keys|API keys|tokens]
        a key with an expiry date
        [tokens|token command|key scopes|expiring key]
    """,
    "cmd-models": """
        {does} [farmhand models|`farmhand models`|the models command]
        farmhand models
        {type} [list|see|show|find|get] [the models|all models|available models|which models there are|my models|the model names|what models I have]
        {howdo} [list|see|show|find|get] [the models|all models|available models|which models there are|the model list|my models|what models I can use]
        {cmd} [lists|shows|prints|displays] [the models|all models|available models|model names]
        [which|what] models [are there|are available|can I use|do I have|are installed|does {fh} have|can I ask for|are loaded|does {fh} offer|exist|are served]
        list [of |][all |][the |]models
        [models|model list|available models|list models|show models]
        where can I see the models
        how do I know which models I have
        what models are on offer
        are there other models
        which LLMs can I choose from
        display the catalogue of models
    """,
    "cmd-chat": """
        {does} [farmhand chat|`farmhand chat`|the chat command|chat]
        farmhand chat
        chat
        {type} [chat|talk to a model|chat in the terminal|talk to the model|chat from the terminal|try a model|have a conversation in the terminal]
        {howdo} [chat|talk to a model|chat in the terminal|talk to the model|chat from the terminal|try a model from the shell|chat without a client|chat on the command line|ask a question from the terminal]
        {cmd} [lets me talk to a model|is for chatting|starts a chat|lets me chat|opens a chat]
        is there a chat in the terminal
        [terminal chat|chat in terminal|chat from the command line|command line chat|talk in the terminal|chat client]
        can I chat [in the terminal|without an app|in Termux|from the shell|on the console|from the command line]
        how do I quickly try the model
        how can I try it out
        interactive chat
        talk with a model on the console
        does {fh} have a built in chat
    """,
    "cmd-connect": """
        {does} [farmhand connect|`farmhand connect`|the connect command|connect]
        farmhand connect
        connect
        {type} [get the settings for a client|print client settings|print the settings for a client|get the client settings|configure a client|see the settings for my app]
        {cmd} [prints|shows|gives] [the settings for a client|client settings|connection settings|the settings my client needs|what to enter in a client]
        where do I get the settings for [my client|a client|my app|my editor]
        [client settings|connection settings|connect command|settings for clients]
        print the settings for [a client|my app|my client|my tool]
        {howdo} get the [connection details|client settings|connection settings|settings my app needs]
        what is farmhand connect pitwall
        is there a command that prints what a client needs
        show me the connection details
        export settings for a client
    """,
    "script-setup": """
        {does} [scripts/setup|the setup script|scripts setup]
        scripts/setup
        setup
        [setup script|the setup script|venv|virtual environment|dependencies|install dependencies]
        {howdo} [make|create|set up] [the virtual environment|the venv|a venv|a virtualenv]
        {howdo} install [the dependencies|everything|all dependencies|requirements|the requirements|the python packages|what it needs]
        can I run [scripts/setup|the setup script|setup] [twice|again|several times|more than once|repeatedly]
        is [scripts/setup|setup|the setup script] idempotent
        which script [installs|sets up|prepares] [everything|the dependencies|the venv|the virtual environment|the clone]
        how do I install from [a clone|git|source|the repository]
        what do I run after [cloning|git clone|cloning the repository]
        I cloned the repository, what now
        which script prepares a clone
        pip install
        install from source
        what creates the venv
        script that does the installs
    """,
    "script-up": """
        {does} [scripts/up|the up script]
        scripts/up
        [the up script|up script]
        which script [runs|starts] the main job
        which script [sets up a clone and runs it|sets up and runs|starts farmhand from a clone|runs farmhand from a clone|starts a clone]
        {howdo} [run|start] {name} from [a clone|source|git|the source tree|a checkout|the repository]
        run from [a clone|source|a git checkout]
        what is scripts/up for
        difference between scripts/up and farmhand up
        developer run script
        how do I run the clone
        one script to set up and run
        {whatis} the main job script
        script that sets up and then starts
    """,
    "script-test": """
        {does} [scripts/test|the test script]
        scripts/test
        [test script|the test script|run tests|tests|unit tests|pytest|test suite]
        {howdo} [run|start|execute|launch] [the tests|all tests|the test suite|the unit tests|pytest|the testsuite]
        {type} [run|start|execute] [the tests|all tests|the test suite|unit tests]
        which script [runs|starts|executes] [the tests|all tests|the test suite]
        how can I [test my changes|check that my changes work|test the code]
        how is {name} tested
        are there tests
        how to test a clone
        I changed the code, how do I test it
        running the test suite
        where do I start the tests
        developers: how to run tests
    """,
    "first-steps": """
        {howdo} [get started|begin|set it up|set up {name}|install {name}|install it|start from scratch|start using {name}|set everything up|do the installation|deploy {name}]
        [installation|install|getting started|first steps|quickstart|quick start|set up|how to install|installing|tutorial|setup guide|beginner guide|howto]
        what are the [steps|first steps|installation steps|setup steps] [to start|to begin|to install|]
        how does the installation [work|go]
        where do I [start|begin]
        what do I do first
        I am new, [how do I start|where do I begin|what do I do first|what now|what should I do]
        step by step [guide|instructions|installation|setup]
        give me [instructions|the steps|a guide|a walkthrough|a recipe] [to start|to install it|for the setup|for installation|]
        [how to|] install {name} on my phone
        what must I do to use {name}
        how do I use {name}
        from zero to [running|a first chat]
        what is the quickest way to try {name}
        in what steps do I set this up
        list the steps
        I want to try {name}
        how do I put {name} on my phone
    """,
    "config-file": """
        where is [the |][config|config file|configuration|configuration file|settings file|config.toml|toml file|configuration stored]
        where [do|can] I [find|put|edit|change] the [config|config file|configuration|settings|settings file|config.toml]
        {whatis} the [path|place|location|name] of the [config file|configuration|config|settings file]
        [config|config file|configuration|config.toml|settings|settings file|config path|FARMHAND_CONFIG|configuration file|toml]
        {which} [file|folder|path] [is|holds|are] the [config|configuration|settings]
        which file do I edit [to configure {fh}|to change settings|]
        {howdo} [configure|set up the config of|change the settings of|customise|customize] {fh}
        {forgot} the [path|location|place] of the [config file|config|settings]
        what is FARMHAND_CONFIG [for|]
        {howdo} use [another|a different|my own] config file
        location of config.toml
        [which|what] format does the config [have|use]
        is the config [toml|yaml|json|ini]
        where does {fh} read its [settings|config|configuration] from
        from where is the configuration loaded
        in which file are settings made
        where does config.toml live
    """,
    "env-override": """
        {howdo} [override|overwrite|set|change] [a config key|config keys|a setting|settings|config values|the config] [with|by|through|using|via] [an environment variable|environment variables|env vars|the environment|an env var]
        [which|what] environment variables [are there|does {fh} read|can I use|override the config|exist]
        [environment variables|env vars|environment|env|environment override|env override|FARMHAND_SERVER_PORT|environment variable]
        can I [use|set] [environment variables|env vars|an env var]
        is there an environment variable for [a setting|each key|the port|every setting]
        what is FARMHAND_SERVER_PORT
        {tell} [environment variables|env vars|overrides|FARMHAND_ variables]
        what is the naming [rule|scheme|pattern] of the [environment variables|env vars]
        how are environment variables named
        configure {fh} [through|by|with|via] [the environment|env vars|environment variables]
        {howdo} set a config key without [editing|touching|changing] the file
        can settings come from the environment
        export FARMHAND_
        overriding config keys
        docker style env configuration
        what do I export in the shell to change a setting
    """,
    "state-folder": """
        where [are|is] [the models|models|keys|the keys|the state|KV files|the data|state|the downloaded models|the cache|my models|the kv cache|data|the model store|model files] [stored|kept|saved|located|held|]
        where does {fh} [store|keep|save|put|hold|write] [its data|its state|models|keys|its files|the models|KV files|its keys|state|everything]
        [state|state folder|data folder|state directory|data directory|FARMHAND_HOME|model folder|model store|data dir|home folder]
        {whatis} the [state folder|data folder|state directory|data directory|home folder|model folder|model directory]
        {whatis} FARMHAND_HOME
        {which} [folder|directory] [holds|contains|are|has|is for] [the models|the keys|the state|models|keys|the data|the model files]
        {forgot} the [state folder|data folder|place of the keys|model folder]
        what should I back up
        {howdo} [move|change] the [state folder|data folder|data directory|model folder]
        where do I put [model files|models|a model|my gguf]
        what is in ~/.local/share/farmhand
        what mode does the state folder have
        location of the [state|models|keys|KV files]
        on disk, where is {fh}'s data
        where do keys live
        which directory do I back up
        where are things persisted
    """,
    "unknown-keys": """
        what happens [with|to|if there are|if I use] [unknown config keys|unknown keys|a typo in the config|a wrong key|a misspelled key|a misspelt key|keys it does not know|a key that does not exist]
        [unknown key|unknown config key|unknown keys|config typo|misspelled key|unrecognised key|unrecognized key|extra key]
        {fh} [refuses|rejects|complains about|does not accept] [my config|a key|a config key|the config|a key in the config]
        [why is|why was] [my config|my key|the config|a config key] [refused|rejected|not accepted]
        I made a typo in [config.toml|the config|the config file|a key]
        are unknown keys [ignored|allowed|refused|an error|accepted]
        can I put [my own|extra|other|custom] keys [into|in] the config
        what does unknown key mean
        it says [unknown key|that a key is unknown]
        my config has a spelling mistake
        is a misspelled setting silently ignored
        config validation
        does it check the config for mistakes
        it refuses to start because of a config key
        extra fields in config.toml
    """,
    "no-config": """
        what happens without [a config|a config file|any config|configuration|config.toml|settings]
        [do I need|must I have|must I write|is there a need for] [a config|a config file|a configuration|config.toml]
        is [a config file|a config|the config file|configuration] [needed|required|necessary|mandatory|optional]
        what [if|when] [there is no config|I have no config file|the config is missing|there's no config file|config.toml is missing|I don't write a config|I never write a config]
        can I [run|use|start] {fh} without [a config|a config file|configuration|config.toml|configuring anything]
        [no config|without config|default config|defaults|missing config|zero config|no config file]
        what are the defaults
        what does {fh} do by default
        what is the default behaviour
        how does {fh} find engines by default
        which engines are used [by default|without a config|out of the box]
        out of the box, what does it use
        I have not configured anything
        what is the last resort
        when is the demo model used
        does it run with zero configuration
        unconfigured behaviour
    """,
    "model-route": """
        {whatis} [a route|a model route|the route|routing|the route key|{modelblock}]
        {howdo} [define|add|configure|set|give] [a model name|a model alias|a route|an alias|a model route|a model block|a name for a model]
        {whatis} {modelblock}
        {modelblock}
        what does route [mean|do] [in the config|]
        [route|routes|model block|alias|model alias|model route|routing table|aliases]
        {howdo} [map|send|route] gpt-4o-mini to [my model|an engine|a local model|the llama engine|gemma]
        can I [call|name] my model gpt-4o-mini
        {tell} [routes|routing|the model block|model routes|aliases]
        {howdo} decide which engine answers [a model|which model|a name|]
        {howdo} make gpt-4o-mini work
        what is the order of a route
        how do I set a fallback for a model
        my client insists on gpt-4o
        offer a model under another name
        give a model a second name
        which engines answer for a model name
        what is route in config.toml
    """,
    "model-names": """
        [what|which] model name [should I use|do I use|can I use|do I send|do I enter|can I ask for|must I give|goes into the request|shall I put in]
        what do I [put|write|enter|send] [as|in|for] [the model|model|the model field|the model name]
        how [do I|can I] [name|choose|select|pick|address|specify|ask for] a [model|particular model|certain model|specific model] [in a request|]
        [model name|model names|model id|model field|choose model|model parameter|which model name]
        {whatis} [engine/model|the model field|the model name]
        how are models [named|addressed|called]
        can I ask for [a certain engine|a specific engine|one engine directly|a particular engine]
        what forms can a model name have
        {howdo} [force|address|use|pick] a [certain|particular|specific] engine
        which values does the model field [take|accept]
        syntax of model names
        what names are valid for model
        model = what
        how to request one engine's model directly
        how do I tell it which model to use
    """,
    "model-auto": """
        {whatis} [the model |][auto|model auto|"auto"]
        what does [auto|the model auto|"auto"|model auto|the model name auto] [do|mean]
        [auto|model auto|automatic model|model=auto|auto model]
        can {fh} [choose|pick|select] [the model|an engine|the engine|the best engine|a model] [for me|itself|by itself|automatically]
        I don't care which [model|engine] [answers|is used]
        {tell} [auto|the auto model|the model name auto]
        is there an automatic [choice|selection] [of the engine|of models|]
        {howdo} let {fh} [choose|pick|decide|select] [the model|an engine|]
        which model name [lets farmhand choose|means any model|picks automatically]
        automatic engine selection
        what if I ask for auto
        when should I use auto
        just use any model
        meaning of auto as a model
        let it decide which engine
    """,
    "own-gguf": """
        {howdo} [use|add|load|run|serve|import|install] [my own GGUF|a GGUF|a GGUF file|my GGUF file|a gguf model|a downloaded GGUF|my own model file|another GGUF|a llama model]
        where do I [put|set|write] the path [of|to] [my|a] [GGUF|model file|gguf file]
        [gguf|own gguf|gguf file|use gguf|load gguf|custom gguf|.gguf]
        can {fh} [load|use|run|open] [GGUF files|a GGUF|gguf models|my gguf|any gguf]
        I [have|downloaded|own|got] a [GGUF|gguf file|gguf model|gguf from huggingface]
        how is a gguf configured
        what do I write in the config for [a gguf|my gguf|a gguf file]
        how do I point {fh} at a gguf
        does it support [GGUF|gguf files]
        [Qwen|Gemma|Mistral|Phi|Llama 3|SmolLM] as a GGUF
        run a [quantized|q4_k_m|q8] gguf
        which config entry loads a gguf file
        serve a local gguf with the llama engine
        feed it my own gguf
    """,
    "send-key": """
        {howdo} [send|pass|give|supply|use|include|transmit|provide|hand over] [the key|my key|an API key|the token|the API key|the bearer token|my API key|credentials|my token]
        {howdo} [authenticate|log in|authorize|sign in|authorise|identify myself|prove who I am]
        [which|what] header [do I need|is needed|carries the key|do I send|must I set|holds the key|do I use for the key]
        [auth|authentication|authorization|bearer|bearer token|auth header|authorization header|login|header]
        how does [authentication|auth|authorization|the login] work
        where [do I put|does] [the key|my key|the API key|the token] [go|]
        in which header does the key go
        {tell} [authentication|auth|bearer tokens|the auth header]
        {whatis} [a bearer token|the bearer token|the authorization header]
        how is a request authenticated
        what does the Authorization header look like
        which form does the key have in a request
        format of the auth header
        x-api-key or bearer
        how do clients log in
        how must the key be sent
    """,
    "make-key": """
        {howdo} [make|create|get|generate|obtain|add|issue|mint] [a key|an API key|a token|an access token|a new key|api keys|a bearer token|a new token|credentials|my key]
        where do I get [a key|an API key|the key|my key|a token|my API key]
        [new key|api key|create key|generate key|make a key|get a key|api keys|get api key|key]
        I [need|want|have no] [a key|an API key|a token|key|api key]
        [which|what] [key|API key] [do I use|should I use|must I use]
        {whatis} the [API key|default key|key|api_key]
        [which|what] api_key do I [put|enter|give]
        how are keys made
        I lost my key
        how do I add a key for [a new app|a client|my laptop|a friend]
        give me a key
        where can I obtain credentials
        where does the key come from
        what do I enter as API key
    """,
    "static-key": """
        {whatis} sk-local-farm
        sk-local-farm
        what does sk-local-farm [do|mean]
        {tell} sk-local-farm
        can I use sk-local-farm
        does [sk-local-farm|the key sk-local-farm] work
        is sk-local-farm [valid|still valid|accepted|allowed|a real key|ok|the default key|built in]
        why is sk-local-farm [refused|rejected|not accepted|not working]
        {whatis} a static key
        [static key|static keys|sk local farm|legacy key|fixed key]
        {tell} static keys
        where do static keys [go|live|stand|come from]
        when is sk-local-farm honoured
        the old key sk-local-farm
        is there a fixed key
        my old app uses sk-local-farm
        purpose of sk-local-farm
    """,
    "auth-off": """
        {howdo} [turn off|disable|switch off|remove|deactivate|skip|get rid of] [authentication|auth|the key|the key check|authorization|the password|the login|the need for a key]
        can I [use|run] {fh} without [a key|authentication|an API key|auth|a token|a password|any key]
        [disable auth|no auth|without key|auth off|no key|turn off auth|required = false|disable authentication|anonymous access]
        can [authentication|auth|the key check] be [disabled|turned off|switched off|optional]
        I [don't want|do not want|hate] [a key|keys|authentication|auth|to send a key]
        is [a key|authentication|auth|a token] [optional|mandatory|always required]
        {whatis} required = false
        make the key optional
        allow requests without [a key|a token|authentication]
        [let anyone in|open access]
        when may auth be off
        is it possible to have no [key|authentication] at all
        run it open
        how to accept requests that carry no key
        without bearer token possible
    """,
    "why-key": """
        why [do I need|is there|must I have|must I send|is|does it want|does {fh} want] [a key|an API key|a token|authentication|auth|a bearer token] [needed|required|on my own phone|at all|]
        why is [a key|authentication|an API key|auth|a token|a bearer token] [needed|required|necessary] [on localhost|on loopback|on my own phone|locally|at all|]
        isn't [localhost|loopback|127.0.0.1] [safe|secure|enough|private]
        is loopback [safe|secure|private]
        [why auth|why a key|why token|why authentication|security|loopback security]
        what is the key [for|good for|protecting|there for]
        what [does|is] the key protect against
        who could reach my loopback port
        can other apps [reach|use|access|see] [my port|{fh}|port 8888|the server]
        is it secure
        it is only local, why a password
        why does a local server need a key
        reason for the key
        why not just trust localhost
        {fh} security
        threats on loopback
    """,
    "health-ready": """
        {whatis} [/health|/ready|the health endpoint|the ready endpoint|the health check|the readiness probe|the liveness probe]
        what does [/health|/ready|the health endpoint|the ready endpoint|GET /health|GET /ready] [do|say|return|tell|mean|answer|show]
        {tell} [/health|/ready|the health endpoint|health checks|readiness]
        [health|ready|/health|/ready|health check|readiness|health endpoint|healthcheck|liveness|ready endpoint]
        [what is the|] difference between [/health|health|alive] and [/ready|ready]
        {howdo} [check|test|probe|monitor|poll] [the health|if the adapter is alive|whether the adapter is ready|readiness|liveness|the health of the adapter|if the API is ready]
        which [endpoint|url|path|route] [tells|says|shows] [whether it is ready|the health|if it is alive|if the adapter is ready|that it is alive]
        is there a [health|ready|readiness|liveness|status|monitoring] [endpoint|check|probe|url]
        when is [/ready|the adapter] [ok|ready|green]
        which endpoint do I poll
        url for monitoring
        alive versus ready
        http health probe
        which path should my watchdog request
        endpoint for uptime checks
    """,
    "chat-endpoint": """
        [which|what] [endpoint|path|url path|route] [is for chat|do I use for chat|takes chats|do I post to|answers chats|is for chat completions|handles chat|receives messages]
        {whatis} the [chat endpoint|chat completions endpoint|completions endpoint|endpoint for chats|chat path|path for chat]
        [chat endpoint|/v1/chat/completions|chat completions|completions|endpoint|post endpoint]
        where do I [post|send] [a chat|messages|chat requests|my messages|a chat request|chat completions|a prompt]
        [which|what] path do I post [a chat|messages|prompts] to
        {howdo} send a [chat|chat request|message|prompt] over http
        how do I send a chat completion [request|]
        {tell} /v1/chat/completions
        does {fh} have /v1/chat/completions
        which http method and path for chat
        the path after the host for a chat
        endpoint to talk to the model
        where do chat messages go
        POST where
        which OpenAI endpoint is supported
        which endpoints are there
    """,
    "models-endpoint": """
        [which|what] [endpoint|path|url path|route] [lists|returns|gives|shows] [the models|models|available models|model names]
        {whatis} the [models endpoint|endpoint for models|model list endpoint|models path]
        [/v1/models|models endpoint|GET /v1/models|v1/models|list models endpoint]
        what does [/v1/models|GET /v1/models|the models endpoint] [return|do|give|list|show]
        {howdo} [list|get|fetch|query] [models|the models|the model list] [over HTTP|via the API|through the API|with the API|by http]
        {tell} [/v1/models|the models endpoint]
        does {fh} have /v1/models
        api call to list models
        http path for the model list
        where can a client read the list of models
        how does a client discover models
        url that returns the models
        REST call for models
        where does the API list its models
    """,
    "streaming": """
        does {fh} [stream|support streaming|do streaming|stream answers|stream tokens|send tokens as they come|offer streaming]
        {howdo} [stream|get a stream|turn on streaming|enable streaming|stream the answer|get the answer piece by piece|receive tokens one by one]
        [streaming|stream|sse|server-sent events|stream=true|chunks|stream: true|stream mode]
        is [streaming|stream|sse] [supported|possible|available]
        can [I|answers|the answer|replies] [stream|be streamed|get tokens as they come|see the words as they come|arrive word by word]
        {tell} [streaming|streams|server-sent events|sse]
        how are [answers|streams|chunks|tokens] [streamed|sent|delivered]
        what is stream true
        does it use [SSE|websockets|server-sent events]
        token by token [output|]
        live output while it writes
        can I see the answer while it is being written
        incremental answers
        partial output
        how do I switch streaming on
        real time tokens
    """,
    "error-400": """
        [what does|what is|what's|explain|why] [error 400|400|HTTP 400|status 400|a 400|bad request|bad_request|code 400] [mean|]
        I {get} [a 400|400|error 400|bad request|bad_request|HTTP 400|400 bad request]
        [400|bad request|bad_request|error 400|http 400|400 error|400 bad_request|status 400]
        {errw} 400[, {fixit}|]
        {errw} bad_request[, {fixit}|]
        the {server} [returns|answers|says|gives|sends] [400|bad request|bad_request]
        what do I do [about|with|against|on] [a 400|error 400|bad request|400]
        my request is [malformed|bad|refused as malformed|invalid]
        it says my [body|JSON|request|request body] is [malformed|invalid|broken|not valid]
        why is my request [bad|malformed|invalid]
        invalid [body|request|json|request body]
        parameter not supported by the engine
        unsupported parameter
        {howdo} [fix|solve|handle] [a 400|bad request|error 400]
    """,
    "error-context": """
        [what does|what is|explain|why] [context_length_exceeded|context length exceeded|the context length error] [mean|]
        I {get} [context_length_exceeded|context length exceeded|a context error|a context length error]
        [context_length_exceeded|context length exceeded|context too long|prompt too long|context overflow|too many tokens|context exceeded]
        my prompt [is too long|does not fit|is too big|is too large|doesn't fit into the context|has too many tokens]
        [what if|what happens when|what do I do if] [my prompt|the prompt|the conversation|the chat|the history|the text] is too [long|large|big]
        the [prompt|context|conversation|chat] is too long
        [it says|error:|it complains:] [context_length_exceeded|prompt too long|the context is full|context length exceeded]
        the context is [full|exceeded|too small|not enough|used up]
        {howdo} [fix|solve|avoid|handle] [context_length_exceeded|a too long prompt|the context error|context overflow]
        400 context_length_exceeded[, {fixit}|]
        my text does not fit
        too much text
        my agent's prompt exceeds the context
        maximum context length reached
        prompt plus max_tokens exceed the context
        what do I do about context_length_exceeded
        the input is longer than the model can take
    """,
    "error-401": """
        [what does|what is|what's|explain|why] [error 401|401|HTTP 401|status 401|a 401|unauthorized|invalid_api_key|code 401] [mean|]
        I {get} [a 401|401|error 401|unauthorized|invalid_api_key|HTTP 401|401 unauthorized]
        [401|unauthorized|invalid_api_key|error 401|http 401|401 error|invalid api key|401 unauthorized|not authorized|status 401]
        {errw} 401[, {fixit}|]
        {errw} invalid_api_key[, {fixit}|]
        the {server} [returns|answers|says|gives|sends] [401|unauthorized|invalid_api_key|invalid api key]
        what do I do [about|with|against|on] [a 401|error 401|unauthorized|invalid_api_key]
        my key is [refused|rejected|wrong|invalid|not accepted|not working]
        my [API key|token] [does not work|is refused|is rejected|doesn't work|is not accepted|was denied]
        it says [my key is wrong|invalid api key|unauthorized|the key is invalid|I am not authorized|access denied]
        why is my key [rejected|refused|invalid|not accepted]
        [key rejected|wrong key|missing key|authentication error|authentication failed|login failed|invalid token|bad key]
        what if I [forget|omit|leave out] the key
        {howdo} [fix|solve|handle] [a 401|invalid_api_key|error 401|unauthorized]
        the server won't accept my token
        authentication_error
        what happens when the key is missing
    """,
    "error-404": """
        [what does|what is|what's|explain|why] [error 404|404|HTTP 404|status 404|a 404|model_not_found|code 404] [mean|]
        I {get} [a 404|404|error 404|model_not_found|HTTP 404|model not found|404 model_not_found]
        [404|model_not_found|error 404|http 404|404 error|model not found|not found|unknown model|status 404]
        {errw} 404[, {fixit}|]
        {errw} model_not_found[, {fixit}|]
        the {server} [returns|answers|says|gives|sends] [404|model_not_found|model not found]
        what do I do [about|with|against|on] [a 404|error 404|model_not_found]
        my model is [not found|unknown|missing|not there]
        it says [the model does not exist|model not found|my model is unknown|no such model|it does not know the model]
        why is [my model|the model|gpt-4] [not found|unknown]
        the model does not exist
        no such model
        {fh} does not know my model
        what happens if I ask for a model that [does not exist|nobody serves|is unknown]
        wrong model name
        gpt-4 not found
        {howdo} [fix|solve|handle] [a 404|model_not_found|error 404|model not found]
        I mistyped the model name
    """,
    "error-429": """
        [what does|what is|what's|explain|why] [error 429|429|HTTP 429|status 429|a 429|queue_full|too many requests|code 429|Retry-After|the Retry-After header] [mean|]
        I {get} [a 429|429|error 429|queue_full|HTTP 429|too many requests|rate limited|429 queue_full]
        [429|queue_full|error 429|http 429|429 error|too many requests|queue full|rate limit|retry-after|rate limited|rate limiting|Retry-After header|status 429]
        {errw} 429[, {fixit}|]
        {errw} queue_full[, {fixit}|]
        the {server} [returns|answers|says|gives|sends] [429|too many requests|queue_full|that the queue is full]
        what do I do [about|with|against|on] [a 429|error 429|queue_full|too many requests]
        the queue is full
        what [happens when|if] the queue is full
        it says [too many requests|the queue is full|I am rate limited|to slow down|that too many requests are waiting]
        is there a rate limit
        how long should I wait [after a 429|before I retry|before trying again|]
        when [should|can|may] I retry
        what is the Retry-After header for
        I send too many requests
        {howdo} [fix|solve|handle] [a 429|queue_full|error 429|rate limits]
        overload
        why am I being rate limited
    """,
    "error-500": """
        [what does|what is|what's|explain|why] [error 500|500|HTTP 500|status 500|a 500|internal server error|internal_error|engine_failed|code 500] [mean|]
        I {get} [a 500|500|error 500|internal server error|HTTP 500|internal_error|engine_failed]
        [500|internal server error|internal_error|error 500|http 500|500 error|engine_failed|internal error|status 500]
        {errw} 500[, {fixit}|]
        {errw} [internal_error|engine_failed][, {fixit}|]
        the {server} [returns|answers|says|gives|sends] [500|internal server error|an internal error]
        what do I do [about|with|against|on] [a 500|error 500|internal server error|an internal error]
        it says internal [server |]error
        is a 500 my fault
        server fault
        there was an internal error
        {howdo} [fix|solve|handle] [a 500|internal server error|error 500]
        the engine failed
        I found a bug, it says 500
    """,
    "error-502": """
        [what does|what is|what's|explain|why] [error 502|502|HTTP 502|status 502|a 502|bad gateway|upstream_protocol|code 502] [mean|]
        I {get} [a 502|502|error 502|bad gateway|HTTP 502|upstream_protocol|502 bad gateway]
        [502|bad gateway|error 502|http 502|502 error|upstream_protocol|502 bad gateway|status 502|upstream error]
        {errw} 502[, {fixit}|]
        {errw} upstream_protocol[, {fixit}|]
        the {server} [returns|answers|says|gives|sends] [502|bad gateway]
        what do I do [about|with|against|on] [a 502|error 502|bad gateway]
        the upstream [answers nonsense|sent garbage|sends something unreadable]
        it says bad gateway
        the engine's [app|server] gave [no usable answer|nonsense|garbage]
        {howdo} [fix|solve|handle] [a 502|bad gateway|error 502]
        engine answers with something unreadable
        unusable answer from the engine
    """,
    "error-503": """
        [what does|what is|what's|explain|why] [error 503|503|HTTP 503|status 503|a 503|service unavailable|engine_unavailable|code 503] [mean|]
        I {get} [a 503|503|error 503|service unavailable|HTTP 503|engine_unavailable|503 service unavailable]
        [503|service unavailable|engine_unavailable|error 503|http 503|503 error|engine unavailable|app closed|status 503]
        {errw} 503[, {fixit}|]
        {errw} [engine_unavailable|upstream_unreachable][, {fixit}|]
        the {server} [returns|answers|says|gives|sends] [503|service unavailable|engine_unavailable|upstream_unreachable]
        what do I do [about|with|against|on] [a 503|error 503|service unavailable|engine_unavailable|upstream_unreachable]
        [what if|what happens when|what happens if] [the InferrLM app|the app|InferrLM|LocalLLM|the engine app|the engine's app] is [closed|not open|not running|shut]
        no engine [is available|can answer|is ready|is there|answers]
        the engine is [unavailable|not available|loading|paused|closed|still loading]
        it says [engine unavailable|service unavailable|no engine can answer]
        I closed the [InferrLM|LocalLLM|] app
        must the [app|InferrLM app|LocalLLM app|InferrLM] [be open|stay open|be running]
        {howdo} [fix|solve|handle] [a 503|engine_unavailable|error 503]
        no engine available
        do I have to keep InferrLM open
        the app behind the engine is not running
        [the upstream|the app|the engine's app] [is unreachable|cannot be reached]
        upstream_unreachable
    """,
    "error-504": """
        [what does|what is|what's|explain|why] [error 504|504|HTTP 504|status 504|a 504|gateway timeout|upstream_timeout|code 504] [mean|]
        I {get} [a 504|504|error 504|gateway timeout|HTTP 504|upstream_timeout|a timeout|timeouts]
        [504|gateway timeout|upstream_timeout|error 504|http 504|504 error|timeout|timed out|timeouts|status 504|request timeout]
        {errw} 504[, {fixit}|]
        {errw} upstream_timeout[, {fixit}|]
        the {server} [returns|answers|says|gives|sends] [504|gateway timeout|upstream_timeout|a timeout]
        what do I do [about|with|against|on] [a 504|error 504|a timeout|gateway timeout]
        my request [times out|timed out|runs into a timeout]
        the [engine|app|model|request|upstream] [timed out|takes too long|times out|took too long]
        it says [upstream timeout|timeout|timed out]
        {howdo} [fix|solve|handle] [a 504|upstream_timeout|error 504|timeouts]
        what happens when the engine does not answer in time
        no first byte in time
        why did it time out
    """,
    "refused": """
        [what does|what is|explain|why] [connection refused|ECONNREFUSED] [mean|]
        I {get} [connection refused|ECONNREFUSED|a connection error|"connection refused"|connection reset]
        [connection refused|ECONNREFUSED|cannot connect|can't connect|connection error|failed to connect|could not connect|no connection|unable to connect]
        it says connection refused
        [curl: (7)|curl: (7) failed to connect|curl says connection refused|failed to connect to 127.0.0.1 port 8888]
        nothing [answers|listens|responds] on [port 8888|8888|the port]
        [my client|the client|my app|I] [cannot|can't|could not|is unable to] [connect|connect to farmhand|reach the server|reach farmhand|reach the adapter|get a connection]
        why [can't I connect|can I not connect|is the connection refused|does my client not connect]
        the server [does not answer|doesn't respond|is unreachable|does not respond|is not reachable|seems dead]
        {howdo} fix connection refused
        localhost:8888 does not respond
        {fh} is not reachable
        server down
        connection to port 8888 failed
        no server is listening
        APIConnectionError
        site can't be reached
    """,
    "adb-forward": """
        {howdo} [use|reach|access|connect to|talk to|call] [{name}|the phone|the server|the API|my phone|the adapter] [from|on|with] my {laptop}
        {howdo} [forward|tunnel|map] [the port|port 8888|8888] [to my laptop|over usb|with adb|to my computer|from the phone|to my PC|through usb]
        [adb|adb forward|usb|port forwarding|laptop|adb command|usb cable|tcp:8888|connect laptop|forward port|adb port forward]
        [which|what] adb command [do I need|do I use|must I run|forwards the port|is needed]
        {howdo} connect my {laptop} [to the phone|over usb|with a cable|with adb|to farmhand|]
        {tell} adb forward
        {whatis} [adb forward|the adb command|the adb forward command]
        can I use {fh} from my {laptop}
        {forgot} the adb [command|forward command|forward line]
        my {laptop} should [use|reach|talk to] [the phone|farmhand|the server on the phone]
        phone to {laptop} over USB
        how does a {laptop} reach the server on the phone
        use the phone's models on my {laptop}
        what do I run on the {laptop}
        set up adb
        access from {laptop}
        plug the phone into the {laptop} and use the API
        what is adb needed for
    """,
    "adb-lost": """
        [adb forward|the forward|the adb forward|port forwarding|the tunnel|the connection to the phone] [stopped working|is gone|does not work any more|is lost|disappeared|broke|no longer works|vanished]
        [does|will] [the|an] adb forward [survive|stay after|persist after|last after|outlive] [a reboot|unplugging|a restart|replugging|a cable pull]
        what happens [to the forward|to adb|to the adb forward|] [when|if|after] I [unplug|replug|disconnect|pull out|remove] the [phone|cable|usb cable|device]
        I [unplugged|replugged|disconnected|pulled] the [phone|cable|usb cable|device] and now [it doesn't work|nothing works|the laptop cannot connect|it's gone|the connection is dead]
        [adb lost|forward lost|after unplug|unplugged|replug|adb gone|forward gone|cable unplugged]
        do I have to [repeat|redo|run] adb forward [again|every time|after a reboot|each time|after unplugging]
        it worked until I [unplugged|disconnected|rebooted] the [phone|cable]
        must I set the forward again
        the laptop lost the connection [to the phone|after unplugging|]
        how long does an adb forward last
        is an adb forward permanent
        why is my adb forward gone
        my laptop cannot reach the phone any more
        the usb connection was interrupted
        plugged the phone back in and it fails
    """,
    "adb-list": """
        {howdo} [list|see|show|check|view] [the |][adb forwards|forwards|port forwards|adb forward rules|forward rules|forwarded ports|active forwards]
        [adb list|list forwards|adb forward --list|adb forward list|forward list|adb forward rules]
        [which|what] [forwards|adb forwards|ports|adb rules] are [set|active|forwarded|there with adb|forwarded by adb|in place]
        {type} [list|see|show|check] [adb forwards|the forwards|the adb forwards|forwarded ports]
        is my adb forward [set|active|still there|there|in place]
        how do I know [if|whether] the [forward|adb forward] is [set|active]
        [show|check|verify] [adb forwards|the forwards|my adb forward|the forwarding]
        what does adb forward --list do
        display all adb port forwards
        did adb forward work
        see existing forwards
        check whether port 8888 is forwarded
    """,
    "adb-several": """
        {howdo} [use|choose|select|pick|handle|name|address] [one of several|one of two|multiple|several|two|many|more than one] [phones|devices] [with adb|for adb|]
        [more than one device|more than one device/emulator|several devices|two phones|multiple phones|several phones|adb serial|adb -s|multiple devices|two devices|serial number]
        I have [two|several|three|many|multiple] [phones|devices|Pixels|handsets] [connected|plugged in|]
        adb says [more than one device|more than one device/emulator|error: more than one device]
        error: more than one device/emulator
        what if [two|several|three] [phones|devices] are [connected|plugged in|attached]
        how do I tell adb which [phone|device] [to use|]
        [which|what] option picks the [phone|device] in adb
        what is adb -s
        select a phone by serial
        forward from a particular phone
        adb with two phones
        a second phone is attached and adb complains
        adb cannot decide which phone
        where does the serial go
    """,
    "connect-client": """
        {howdo} [connect|configure|set up|point|hook up|link|attach] [a|my|an|another] {client}
        {howdo} [connect|hook up|link] [Open WebUI|aider|LangChain|Cursor|Continue|my app|my agent|a chat app|VS Code|n8n|LibreChat|Jan|Cline|Home Assistant|the OpenAI SDK|Obsidian]
        what [do I enter|settings do I need|do I put|must I configure|do I fill in] in [my|the|a] {client}
        [connect client|client|client setup|connect app|client configuration|open webui|aider|langchain|use with app]
        how does a {client} [connect|use {name}|talk to {name}|reach {name}]
        can I use {fh} with [Open WebUI|aider|LangChain|Cursor|Continue|my own app|an OpenAI client|any OpenAI client|VS Code|Cline|LibreChat]
        which {client}s [work|can I use|are supported]
        does [Open WebUI|aider|LangChain|Cursor|Continue|the OpenAI SDK|LibreChat|Cline] work with {fh}
        what does a client need [to know|]
        how do apps [connect|use it|talk to farmhand]
        what do I tell my {client}
        make my {client} use {name}
        use {name} in my {client}
        I want my {client} to talk to {name}
        connect to {name}
        how do I connect
        which settings does an OpenAI client need
    """,
    "python-client": """
        {howdo} [use|call|reach|query] [{name}|the API|it|the server] [from|in|with] [Python|python|the openai package|the openai library|the OpenAI python SDK|a python script|python code]
        [python client|python example|openai package|python sdk|openai python|python code|python snippet|python library]
        [give|show] me [a python example|python code|an example in python|a python snippet|some python]
        how does the [openai|OpenAI] [package|library|python client|python package|module] [connect|work with {fh}|get configured]
        can I use the openai python [library|package|client|sdk]
        example in python
        python code for {name}
        {howdo} [create|make] an OpenAI client [in python|object|]
        what do I write in my python [script|program|code]
        from openai import OpenAI
        import openai
        pip install openai, and then
        which arguments does OpenAI() need
        call it from a python program
        how do I code against it in python
    """,
    "curl": """
        {howdo} [test|try|call|use|check|query] [it|{name}|the API|the server] with curl
        [curl|curl example|curl command|test with curl|curl test]
        [give|show] me a curl [example|command|line|call|one-liner]
        [which|what] curl command [do I use|tests the API|can I try|should I run|works]
        {whatis} [a|the] curl [command|example|line|call]
        can I use curl
        example with curl
        test the API from the [command line|shell|terminal]
        http request example
        {howdo} [test|try] the API by hand
        raw http request from the shell
        a quick test [from the shell|without any client|with wget or curl]
        manual request to the API
    """,
    "pitwall": """
        {whatis} [Pitwall|the Pitwall bridge|pitwall]
        {tell} [Pitwall|pitwall|the Pitwall bridge]
        {howdo} [connect|configure|set up|use|hook up|link] [Pitwall|pitwall|the Pitwall bridge|the Pitwall app]
        [pitwall|pitwall bridge|PITWALL_ADK_OPENAI_URL|PITWALL_ADK_OPENAI_MODEL|PITWALL_ADK_OPENAI_API_KEY|pitwall settings|connect pitwall]
        what is PITWALL_ADK_OPENAI_[URL|MODEL|API_KEY]
        [which|what] [settings|variables|environment variables|env vars] does Pitwall [need|use|want]
        how does Pitwall [use|reach|talk to] {fh}
        does {fh} work with Pitwall
        where do I get the Pitwall [settings|variables|url]
        what prints the PITWALL variables
        pit wall
        who is pitwall
        settings of the pitwall app
    """,
    "openclaw": """
        {whatis} [OpenClaw|openclaw|Clawdbot|the OpenClaw gateway|clawdbot|the gateway|Open Claw]
        {tell} [OpenClaw|openclaw|Clawdbot|the OpenClaw gateway|the gateway]
        [openclaw|clawdbot|open claw|OpenClaw|agent gateway|gateway]
        what does [OpenClaw|the gateway|Clawdbot|openclaw] do
        what is [OpenClaw|Clawdbot|the gateway] [for|good for|used for]
        do I need OpenClaw
        is OpenClaw [needed|required|optional|necessary|mandatory]
        what was OpenClaw called [before|once|earlier|in the past]
        what was Clawdbot renamed to
        what happened to Clawdbot
        can I [use|run] OpenClaw with {fh}
        does {fh} [work with|support|run|include] [OpenClaw|Clawdbot|agents]
        is there an agent gateway
        former name of OpenClaw
        which agent can run on the phone
    """,
    "litellm": """
        {whatis} [LiteLLM|litellm|the LiteLLM proxy|Lite LLM|the proxy]
        {tell} [LiteLLM|litellm|the LiteLLM proxy|the proxy]
        [litellm|lite llm|LiteLLM|litellm proxy|proxy]
        what does [LiteLLM|the proxy|litellm|the LiteLLM proxy] do
        what is [LiteLLM|litellm|the proxy] [for|good for|used for]
        do I need [LiteLLM|the proxy|litellm|the LiteLLM proxy]
        is [LiteLLM|the proxy|litellm|the LiteLLM proxy] [needed|required|optional|necessary|mandatory]
        can I [use|run] [{fh}|it] without [LiteLLM|the proxy|litellm]
        why [is there|would I use] [LiteLLM|a proxy]
        does {fh} [work with|support|run|include] [LiteLLM|a proxy]
        must I install [LiteLLM|the proxy|litellm]
        what sits in front of the adapter
        is there a proxy
        can I leave out LiteLLM
        where does LiteLLM fit in
    """,
    "gateway-url": """
        [what|which] [base url|url|address|port] does [the gateway|OpenClaw|the agent gateway|the OpenClaw gateway] [use to reach {fh}|talk to|use as its base url|get|connect to|send its requests to]
        {whatis} the gateway's base url
        [gateway url|gateway base url|base url of the gateway|openclaw base url|gateway's base url]
        where does [the gateway|OpenClaw|the agent gateway] send its requests
        does the gateway [use|go through|talk to|go to] [the proxy|LiteLLM|the adapter|port 4000|4000 or 8888|port 8888]
        to which port does [the gateway|OpenClaw] connect
        which base url is given to [the gateway|gateways|OpenClaw]
        proxy or adapter for the gateway
        does OpenClaw go through LiteLLM
        what does OpenClaw talk to
        upstream of [the gateway|OpenClaw]
        when does the gateway use 4000 and when 8888
        does the gateway use 4000 or 8888
        base url for OpenClaw [with|without] the proxy
        what should the gateway point at
    """,
    "neural-farm": """
        {whatis} [NEURAL_FARM_BASE_URL|neural farm|Neural Farm|the variable NEURAL_FARM_BASE_URL]
        [NEURAL_FARM_BASE_URL|neural farm|neural-farm|NEURAL_FARM|legacy names|old names|neuralfarm]
        what does NEURAL_FARM_BASE_URL [do|mean]
        {tell} [NEURAL_FARM_BASE_URL|neural farm|legacy names]
        is NEURAL_FARM_BASE_URL [still supported|still honoured|obsolete|needed|deprecated|valid|still used]
        are old [names|variables|settings] still [honoured|supported|valid]
        which [legacy|old] [names|variables|environment variables] are [honoured|supported|still valid|there]
        does {fh} still [know|support|honour|read] NEURAL_FARM_BASE_URL
        legacy [environment variable|variable|env var]
        what was {fh} called before
        who uses NEURAL_FARM_BASE_URL
        what is the old base url variable
        backwards compatible [names|variables]
    """,
    "who-are-you": """
        who are you
        what are you
        who am I talking to
        what model [are you|is this|am I using|answers here|do I talk to]
        which model [are you|is this|am I talking to|do I talk to|is answering]
        what is your name
        [do you have|what's] [a|your] name
        are you [ChatGPT|GPT-4|an AI|a bot|human|a robot|Gemma|Claude|Gemini|a person|real|Llama|Siri|Qwen|a language model|an LLM|a machine|alive|conscious|intelligent]
        introduce yourself
        tell me about yourself
        tell me something about you
        [who|what] is [answering|speaking|writing|this|there]
        what kind of [model|AI|bot|assistant|LLM] are you
        are you the demo model
        {whatis} the [demo model|demo|bundled model]
        {tell} the [demo model|demo]
        [demo|demo model|bundled model]
        identify yourself
        your name
        who is on the other end
        is there a human
        is this [ChatGPT|GPT|an AI|Gemma|a real model]
        am I talking to a [human|machine|bot|person]
        what should I call you
        describe yourself
        what does demo/demo mean
        which LLM is behind this
        are you smart
    """,
    "what-can-you-do": """
        what can you do
        what do you know
        what can I ask [you|here|]
        how can you help [me|]
        [help|help me|I need help|can you help me|please help]
        what [questions|topics|things] [can I ask|can you answer|do you understand|do you know|do you cover|can you talk about]
        what are you [good|useful] [for|at]
        what are your [skills|abilities|capabilities|talents|features]
        what are you able to do
        what do you [do|know about|understand|offer]
        which questions do you answer
        what should I ask [you|]
        give me [an example|examples] of [a question|questions|what I can ask]
        are you able to [help|answer questions|help me]
        what can I do here
        what topics do you know
        how smart are you
        what is your [purpose|job|task|speciality|function]
        why do you exist
        your capabilities
        [give me a|any] hint what to ask
        what subjects are you trained in
        can I ask you something
        I have a question
    """,
    "real-model": """
        {howdo} [get|load|use|install|run|download|switch to|add] [a real model|a better model|a bigger model|a proper model|a larger model|another model|a good model|a smarter model|a serious model|a useful model|Gemma|Llama 3|Qwen|a different model|a real LLM|Mistral]
        [real model|better model|bigger model|another model|other model|proper model|change model|replace the demo model|different model|download a model]
        I want [a real model|a better model|a bigger model|to use a real model|a smarter model|something smarter|a proper LLM|another model]
        {howdo} replace [the demo model|the demo|you|this model|this toy]
        [where do I get|where can I find|where can I get] a [real|better|bigger|proper|larger] model
        you are [too small|not enough for me|too limited|too dumb], how do I get a [real|better|bigger] model
        what [do I do for|is the way to] [better answers|a real model]
        can I use a [real|better|bigger|different|larger] model [instead of you|instead|]
        I need more than a demo
        {howdo} get [better|smarter] answers
        {howdo} change the model
        how do I upgrade from the demo
        what is the next step after the demo
        which model should I use instead
        how do I get something smarter than you
        can you be replaced by a bigger brain
    """,
    "demo-training": """
        how were you [trained|made|built|created]
        who [trained|made|built|created|wrote|programmed] you
        what were you trained on
        where do you come from
        how was the demo model [trained|made|built|created]
        [what|which] data were you trained [on|with]
        who is your [maker|creator|author|developer]
        on what [hardware|machine|computer|data|text] were you trained
        [training|training data|how trained|your training|train demo model|train_demo_model.py]
        were you trained on [the internet|a GPU|my data|books|wikipedia|a CPU|personal data]
        {howdo} [train|retrain|rebuild|reproduce|make] [you|the demo model|the demo|such a model|demo.gguf] [again|myself|]
        how did you learn
        what is your training data
        who are your parents
        how did you come into being
        where did you learn [this|that|all this|about farmhand]
        which script trains the demo
        when were you trained
        can I retrain the demo model
    """,
    "demo-size": """
        how [big|large|small|heavy] are you
        how many [parameters|weights|layers|megabytes|MB|bytes] do you have
        what is your [size|context|context length|context window|file size|parameter count]
        how [big|large|small] is the [demo model|demo|demo file|bundled model|demo gguf]
        how many [parameters|megabytes|MB|bytes] does the demo model have
        [your size|model size|size|parameters|demo size|file size|parameter count|demo.gguf]
        where is the [demo model|demo file|demo gguf|demo.gguf|bundled model] [stored|located|]
        where are you [stored|kept|on the disk|located]
        how much [space|disk|memory|RAM] do you [take|need|use|occupy]
        what is the context of the demo model
        how much can you remember
        how long can my prompt to you be
        are you a [small|big|large|tiny] model
        how tiny are you
        what do you weigh
        which file are you in
        how much text can you read at once
    """,
    "trust": """
        can I [trust|rely on|believe|depend on] [you|your answers|what you say|this answer|the demo|that]
        are you [always right|correct|reliable|sure|accurate|certain|trustworthy|ever wrong|serious|infallible]
        [is|was] [that|this] [true|right|correct|really true|accurate]
        how [reliable|accurate|trustworthy|good|correct] are [you|your answers]
        [do|can] you [make|ever make] mistakes
        do you [lie|hallucinate|invent things|make things up]
        [are you sure|really|sure|is that so|are you certain]
        [trust|accuracy|reliability|hallucination]
        [should|may] I [believe|trust] you
        that is [wrong|not true|incorrect|false|not right]
        you are wrong
        I don't believe you
        where can I verify that
        how do I know that is true
        did you make that up
        says who
        can your answers be wrong
    """,
    "hello": """
        [hi|hello|hey|hey there|hi there|hello there|good morning|good evening|good afternoon|good day|greetings|yo|howdy|hiya|hallo|morning|evening|sup|hi!|Hello!|welcome|salut|heya|ahoy|moin|servus|g'day|aloha]
        [hi|hello|hey|good morning|good evening] [assistant|bot|farmhand|model|friend|buddy|everyone|demo|computer|my friend|folks|all|mate]
        [hello|hi|hey] [again|to you|hello|hi]
        [hi|hello], [I'm|I am|my name is|this is] [Anna|Bob|Chris|Dave|Eve|Felix|Grace|Hanna|Ivan|Julia|Ken|Lena|Max|Nina|Otto|Paul|Sam|Tom]
        [hi|hello|hey], nice to meet you
        nice to meet you
        I just want to say [hi|hello]
        say [hi|hello] [to me|]
        hello world
        good to see you
        greetings, machine
        hi 👋
        👋
        pleased to meet you
    """,
    "thanks": """
        [thanks|thank you|thx|ty|many thanks|thanks a lot|thank you very much|thank you so much|cheers|merci|danke|much appreciated|thanks!|Thank you!|gracias|tysm|thanks a million|thanks so much|appreciate it|ta]
        [thanks|thank you], [that helped|that helps|bye for now|that is all|that's all|great|you helped me|very helpful|got it|perfect|this works|it works now|that was what I needed]
        thank you for [your help|the answer|helping|the information|that|everything|your time]
        thanks for [your help|the answer|helping|the info|that|everything|explaining]
        [ok|okay|great|perfect|cool|good|alright], [thanks|thank you|thx|many thanks]
        that helped[, thanks|]
        I [appreciate|am grateful for] [it|that|your help|the help]
        you helped me a lot
        that was helpful
        very kind of you
        I owe you one
        🙏
        that solved my problem
    """,
    "bye": """
        [bye|goodbye|bye bye|see you|see you later|cya|farewell|good night|take care|have a nice day|until next time|I have to go|gotta go|talk to you later|exit|quit|see ya|so long|ciao|later|good bye|adios|tschüss|au revoir|signing off|over and out]
        [bye|goodbye|see you], [farmhand|assistant|bot|friend|demo|model|mate|robot]
        [ok|well|thanks|alright|right], [bye|goodbye|see you|I have to go|I'm off|good night|I must leave]
        I am [leaving|done for today|going now|off|going to bed|logging off|heading out]
        [have|wish you] a [good|nice|great] [day|evening|night|weekend|one]
        that's all for [today|now]
        see you [tomorrow|soon|next week|around|next time]
        catch you later
        time to go
        I'm going home
        end of conversation
        until tomorrow
    """,
    "how-are-you": """
        how are you [doing|today|feeling|]
        how's it going
        how do you do
        how do you feel [today|]
        [what's up|whats up|wassup|what is up|how goes it|how are things|you ok|are you ok|are you well|everything ok|how is life|how have you been|all good|how are ya|how r u]
        [hi|hello|hey], how are you [doing|today|]
        [hi|hello|hey], [what's up|how's it going|how are things|you ok]
        are you [fine|happy|well|tired|in a good mood|feeling good|busy|having a good day|bored|sad|lonely]
        how is your day [going|]
        how was your day
        how's your mood
        did you sleep well
        what's new
        how are you holding up
        hope you are well
        how fares the phone today
    """,
    "joke": """
        [tell|tell me|give me|know|do you know|say|make|got|have you got|crack|share|can you tell me] [a joke|a funny joke|jokes|another joke|something funny|a good joke|a phone joke|any jokes|any good jokes|one joke]
        [joke|jokes|a joke|make me laugh|be funny|something funny|say something funny|cheer me up|joke please|one joke please|humour|humor me]
        I want to [hear a joke|laugh]
        do you have [humor|humour|a sense of humour|a joke for me]
        can you [joke|be funny|make a joke|make me laugh|make jokes]
        I need a laugh
        entertain me
        are you funny
        [why did the phone join the farm|what's funny]
        amuse me
        tell me something to smile about
        a pun please
        I am bored, tell me something funny
        lighten the mood
    """,
    "praise": """
        [good job|well done|great|nice|awesome|you are great|you're great|you are awesome|good bot|I like you|I love you|you are cool|amazing|excellent|fantastic|you are smart|bravo|wow|impressive|you are the best|you rock|good work|nice work|perfect|wonderful|brilliant|superb|clever]
        [that is|that's|that was|this is] [great|awesome|cool|amazing|very good|impressive|nice|excellent|good|wonderful|brilliant|a great answer|a good answer]
        [you are|you're|ur] [so |very |really |quite |][helpful|good|clever|nice|cute|useful|smart|sweet|funny|lovely|fast]
        I [like|love|enjoy|adore] [this|farmhand|this project|it|talking to you|your answers|this demo]
        [great|good|nice|lovely|excellent] [answer|work|model|demo|project|job|reply]
        what a [great|nice|good|clever|cute] [answer|model|demo|project|little model]
        not bad for a [demo|tiny model|small model]
        you did well
        I am impressed
        ❤️
        👍 [great|nice|]
        keep up the good work
        five stars
    """,
    "sorry": """
        [that did not help|that doesn't help|that didn't help|not helpful|useless|you are useless|you are stupid|you are bad|bad answer|bad bot|that's not what I asked|wrong answer|you don't understand|you are dumb|this is useless|terrible|you suck|awful|idiot|that was not my question|stupid bot|worthless|rubbish|nonsense|crap]
        [you|that answer|your answer|this answer] [did not|didn't|does not|doesn't] [help|help me|answer my question|understand me|make sense]
        I [am not happy|am disappointed|am angry|don't like you|hate you|am frustrated|hate this|am annoyed|don't understand you]
        [that is|that's|this is] [not what I asked|not what I meant|not helpful|no help|useless|a bad answer|stupid|ridiculous|nonsense]
        you [did not|didn't|never] answer my question
        you misunderstood [me|]
        you are no help
        what a [bad|stupid|terrible|useless|poor] [answer|model|bot|demo|reply]
        [are you|you are] [stupid|dumb|an idiot|useless|broken|annoying|terrible|slow in the head]
        I meant something else
        no, that is not it
        try again, that was wrong
        👎
        worst bot ever
        this answer is off the mark
    """,
    "ok": """
        [ok|okay|k|alright|fine|good|I see|got it|understood|sure|yes|no|cool|right|great, got it|hm|hmm|mhm|yep|yeah|nope|ah ok|aha|makes sense|fair enough|noted|all right|roger|okey dokey|uh huh|sounds good|okie]
        [ok|okay|alright], [I see|got it|understood|good|fine|I understand|makes sense|will do|I will try|that works|let me try]
        I [see|understand|got it|get it|will try that|will do that|know|will try it|will check]
        that makes sense
        [good|nice] to know
        no more questions
        never mind
        not now
        let me think
        that's clear
        I will try that
        👍
        ok then
        one moment
        forget it
        I'll come back later
    """,
    "ping": """
        [ping|test|testing|test test|are you there|are you alive|hello?|anybody there|can you hear me|are you working|do you work|is this on|is anyone there|does this work|is this thing on|is it working|are you online|are you up|one two three test|check|still there|you there]
        [this is|just|only|it is] a test
        [say|reply with|answer with|respond with|just say|print|write] [ok|OK|yes|pong|test|something|one word|anything|"ok"|a word]
        reply with [exactly|only|just] [OK|pong|ok|yes]
        are you [still there|awake|listening|ready|online|running|active|responding|reachable]
        can you [read|see|hear] [me|this|my message]
        do you [hear|read|copy] me
        do you [respond|answer|react|work]
        [testing|test] [123|1 2 3|message|prompt|one two]
        is somebody home
        knock knock
        hello? are you there
        smoke test
        answer me
        say something
        does the model answer
    """,
}
TEMPLATES = {fact: text.strip() for fact, text in TEMPLATES.items()}
