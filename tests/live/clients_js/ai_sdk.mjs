// Vercel's AI SDK through its provider for servers that speak OpenAI's language.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import * as ai from "ai";
import { embedMany, generateObject, generateText, Output, streamText, tool } from "ai";
import { z } from "zod";
import { highWater, serve, TIDE, timed } from "./dialog.mjs";

// Its name until version 6.
const steps = ai.isStepCount ?? ai.stepCountIs;
globalThis.AI_SDK_LOG_WARNINGS = false;
const settings = { name: "farm", baseURL: process.env.OPENAI_BASE_URL, apiKey: process.env.OPENAI_API_KEY, includeUsage: true };
const farm = createOpenAICompatible({ ...settings, supportsStructuredOutputs: true });
const schemaless = createOpenAICompatible({ ...settings, supportsStructuredOutputs: false });
const City = z.object({ name: z.enum(["Cuxhaven", "Husum"]), far: z.boolean() });
const once = { maxRetries: 0 };

const tools = (called) => ({
  [TIDE.name]: tool({
    description: TIDE.description,
    inputSchema: z.object({ place: z.string().max(20) }),
    execute: async ({ place }) => {
      called.push(place);
      return highWater(place);
    },
  }),
});

// Errors of a stream are told to a callback or as a part, never thrown while reading text.
async function read(result) {
  let text = "";
  for await (const part of result.stream ?? result.fullStream) {
    if (part.type === "error") throw part.error;
    if (part.type === "text-delta") text += part.text ?? part.delta ?? "";
  }
  return text;
}

const streamed = (options) => streamText({ ...once, onError: () => {}, ...options });

await serve({
  async plain({ model, text }) {
    const { text: said, finishReason, usage } = await generateText({ ...once, model: farm(model), prompt: text, maxOutputTokens: 32 });
    return { text: said, finish: finishReason, usage };
  },

  async stream({ model, text }) {
    const result = streamed({ model: farm(model), prompt: text, maxOutputTokens: 32 });
    return { text: await read(result), finish: await result.finishReason, usage: await result.usage };
  },

  async forced({ model, text, stream }) {
    const called = [];
    const providerOptions = { farm: { parallel_tool_calls: false } };
    const forced = { tools: tools(called), toolChoice: "required", maxOutputTokens: 200, providerOptions };
    const options = { ...once, model: farm(model), prompt: text, ...forced };
    if (!stream) return { called, calls: (await generateText(options)).toolCalls };
    const result = streamed(options);
    await read(result);
    return { called, calls: await result.toolCalls };
  },

  // The SDK's own loop: until an answer without a call, or so many steps.
  async loop({ model, text, stream }) {
    const called = [];
    const options = { ...once, model: farm(model), prompt: text, tools: tools(called), stopWhen: steps(4) };
    if (!stream) {
      const { text: last, steps } = await generateText(options);
      return { called, last, steps: steps.length };
    }
    const result = streamed(options);
    const last = await read(result);
    return { called, last, steps: (await result.steps).length };
  },

  // With the schema on the wire, or only the wish for JSON: then the prompt has to describe it.
  async object({ model, text, structured }) {
    const provider = structured ? farm : schemaless;
    return (await generateObject({ ...once, model: provider(model), schema: City, prompt: text })).object;
  },

  async output({ model, text, structured }) {
    const provider = structured ? farm : schemaless;
    return (await generateText({ ...once, model: provider(model), output: Output.object({ schema: City }), prompt: text })).output;
  },

  async embed({ model, input }) {
    const { embeddings, usage } = await embedMany({ ...once, model: farm.embeddingModel(model), values: input });
    return { embeddings, usage };
  },

  async badKey({ model }) {
    const nobody = createOpenAICompatible({ ...settings, apiKey: "sk-nobody" });
    await generateText({ ...once, model: nobody(model), prompt: "hi" });
  },

  async streamFails({ model, text }) {
    return read(streamed({ model: farm(model), prompt: text }));
  },

  // With the SDK's usual retries.
  async retried({ model, text, stream }) {
    return timed(async () => {
      if (!stream) return (await generateText({ model: farm(model), prompt: text })).text;
      return read(streamText({ model: farm(model), prompt: text, onError: () => {} }));
    });
  },

  async abort({ model }) {
    const leaving = new AbortController();
    const result = streamed({ model: farm(model), prompt: "hi", abortSignal: leaving.signal });
    let text = "";
    let aborted = false;
    for await (const part of result.stream ?? result.fullStream) {
      if (part.type === "text-delta") text += part.text ?? part.delta ?? "";
      if (part.type === "abort") aborted = true;
      if (text) leaving.abort();
    }
    return { text: text.length, aborted };
  },

  async abortPlain({ model, after_s }) {
    await generateText({ ...once, model: farm(model), prompt: "hi", abortSignal: AbortSignal.timeout(after_s * 1000) });
  },
});
