"""LiteLLM's own search calls against a server that has its search API. argv: base URL, key, query. Prints one line of JSON."""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

litellm: Any = importlib.import_module("litellm")
base, key, query = sys.argv[1:]
found = litellm.search(query=query, search_provider="perplexity", api_base=base, api_key=key, max_results=2, country="DE", num_retries=0)
several = litellm.search(query=[query, "more"], search_provider="perplexity", api_base=base, api_key=key, search_domain_filter=["example.com"])
try:
    litellm.search(query=query, search_provider="perplexity", api_base=base, api_key=key, max_results=50, num_retries=0)
    error = ""
except Exception as exc:  # noqa: BLE001 - whatever it makes of it is shown
    error = f"{type(exc).__name__}: {exc}"
results = [dict(result) for result in found.results]
got = {"object": found.object, "results": results, "several": [result.url for result in several.results], "error": error}
sys.stdout.write(json.dumps(got) + "\n")
