// The agent of tiny-agents as its command line makes it of agent.json, to be asked again and again.
import fs from "node:fs";
import { Agent } from "@huggingface/tiny-agents";
import { serve, timed } from "./dialog.mjs";

// Where there is an `endpointUrl`, its command line leaves `provider` out as well.
const { provider, ...config } = JSON.parse(fs.readFileSync(process.env.AGENT_JSON, "utf8"));
const servers = config.servers.map(({ type, ...rest }) => ({ type, config: rest }));

async function agent(changes) {
  const made = new Agent({ ...config, ...changes, servers });
  await made.loadTools();
  return made;
}

async function run({ text, ...changes }, abortSignal, onText = () => {}) {
  const asked = await agent(changes);
  const got = { text: "", calls: [], results: [] };
  try {
    for await (const chunk of asked.run(text, { abortSignal })) {
      if (chunk.role === "tool") {
        got.results.push(chunk.content);
        continue;
      }
      const delta = chunk.choices[0]?.delta;
      got.text += delta?.content ?? "";
      got.calls.push(...(delta?.tool_calls ?? []).map((call) => call.function.name).filter(Boolean));
      if (got.text) onText();
    }
  } finally {
    await asked.cleanup();
  }
  return got;
}

await serve({
  stream: (changes) => run(changes),
  timed: (changes) => timed(() => run(changes)),

  async abort(changes) {
    const leaving = new AbortController();
    return run({ text: "hi", ...changes }, leaving.signal, () => leaving.abort());
  },
});
