// OpenAI's SDK for JavaScript, told where the server is by its two variables alone.
import OpenAI from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { highWater, serve, TIDE, timed } from "./dialog.mjs";

const client = new OpenAI({ maxRetries: 0 });
const City = z.object({ name: z.enum(["Cuxhaven", "Husum"]), far: z.boolean() });
const parameters = { type: "object", properties: { place: { type: "string", maxLength: 20 } }, required: ["place"] };
const tool = { type: "function", function: { ...TIDE, parameters } };

const say = (text) => [{ role: "user", content: text }];

function runnable(called) {
  const run = ({ place }) => {
    called.push(place);
    return highWater(place);
  };
  return zodFunction({ ...TIDE, parameters: z.object({ place: z.string() }), function: run });
}

await serve({
  async plain({ model, text }) {
    const answer = await client.chat.completions.create({ model, messages: say(text), max_tokens: 32 });
    return { text: answer.choices[0].message.content, finish: answer.choices[0].finish_reason, usage: answer.usage };
  },

  // By the bare iterator, and by the helper that insists on roles, indices and a finish reason (clients.md 5).
  async stream({ model, text }) {
    const body = { model, messages: say(text), max_tokens: 32 };
    const seen = { text: "", usage: null, finish: null };
    for await (const chunk of await client.chat.completions.create({ ...body, stream: true, stream_options: { include_usage: true } })) {
      seen.text += chunk.choices[0]?.delta?.content ?? "";
      seen.finish = chunk.choices[0]?.finish_reason ?? seen.finish;
      seen.usage = chunk.usage ?? seen.usage;
    }
    const helper = client.chat.completions.stream(body);
    seen.helper = await helper.finalContent();
    return seen;
  },

  async forced({ model, text, stream }) {
    const body = { model, messages: say(text), tools: [tool], tool_choice: "required", parallel_tool_calls: false, max_tokens: 200 };
    const message = stream
      ? await client.chat.completions.stream(body).finalMessage()
      : (await client.chat.completions.create(body)).choices[0].message;
    return message.tool_calls.map(({ id, type, function: asked }) => ({ id, type, name: asked.name, arguments: JSON.parse(asked.arguments) }));
  },

  // The SDK's own loop: asks, runs the function, asks again.
  async runTools({ model, text, stream }) {
    const called = [];
    const body = { model, messages: say(text), tools: [runnable(called)], stream };
    const runner = client.chat.completions.runTools(body, { maxChatCompletions: 4 });
    const last = await runner.finalContent();
    return { called, last, roles: runner.messages.map((message) => message.role) };
  },

  async schema({ model, text }) {
    const answer = await client.chat.completions.parse({ model, messages: say(text), response_format: zodResponseFormat(City, "city") });
    return answer.choices[0].message.parsed;
  },

  // base64 is what it asks for by itself; floats must be the same numbers.
  async embed({ model, input }) {
    const own = await client.embeddings.create({ model, input });
    const floats = await client.embeddings.create({ model, input, encoding_format: "float" });
    return { own: own.data.map((d) => d.embedding), floats: floats.data.map((d) => d.embedding), usage: own.usage };
  },

  async models() {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    return ids;
  },

  async badKey({ model }) {
    await new OpenAI({ apiKey: "sk-nobody", maxRetries: 0 }).chat.completions.create({ model, messages: say("hi") });
  },

  // With the SDK's usual retries.
  async retried({ model, text, stream }) {
    const patient = new OpenAI();
    return timed(async () => {
      if (!stream) return (await patient.chat.completions.create({ model, messages: say(text) })).choices[0].message.content;
      return patient.chat.completions.stream({ model, messages: say(text) }).finalContent();
    });
  },

  async abort({ model }) {
    const leaving = new AbortController();
    const stream = await client.chat.completions.create({ model, messages: say("hi"), stream: true }, { signal: leaving.signal });
    let text = "";
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      if (text) leaving.abort();
    }
    return { text: text.length };
  },

  async abortPlain({ model, after_s }) {
    await client.chat.completions.create({ model, messages: say("hi") }, { signal: AbortSignal.timeout(after_s * 1000) });
  },

  // Node's `fetch` with a shorter silence than its own 300 s. `undici` of the kit; the SDK passes `dispatcher` on.
  async silence({ model, text, limit_s, base }) {
    const { Agent, fetch } = await import("undici");
    const dispatcher = new Agent({ headersTimeout: limit_s * 1000, bodyTimeout: limit_s * 1000 });
    const short = new OpenAI({ maxRetries: 0, fetch, baseURL: base, fetchOptions: { dispatcher } });
    return timed(() => short.chat.completions.stream({ model, messages: say(text), max_tokens: 1 }).finalContent());
  },

  // What a page's script could read: a preflight as a browser sends it, then the request itself.
  async browser({ origin, url, key, model }) {
    const headers = { Origin: origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type" };
    const asked = await fetch(`${url}/chat/completions`, { method: "OPTIONS", headers });
    const posted = await fetch(`${url}/chat/completions`, {
      method: "POST",
      headers: { Origin: origin, Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
      body: JSON.stringify({ model, messages: say("hi"), max_tokens: 4 }),
    });
    const shared = (answer) => [...answer.headers].filter(([name]) => name.startsWith("access-control"));
    const told = (answer) => ({ status: answer.status, ...Object.fromEntries(shared(answer)) });
    return { asked: told(asked), posted: told(posted), body: await posted.json() };
  },
});
