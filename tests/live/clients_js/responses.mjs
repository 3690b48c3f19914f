// `/v1/responses` as OpenAI's SDK for JavaScript uses it.
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { highWater, serve, TIDE } from "./dialog.mjs";

const client = new OpenAI({ maxRetries: 0 });
const City = z.object({ name: z.enum(["Cuxhaven", "Husum"]), far: z.boolean() });
const tool = { type: "function", ...TIDE, strict: true, parameters: { type: "object", properties: { place: { type: "string" } }, required: ["place"], additionalProperties: false } };

await serve({
  async plain({ model, text }) {
    const answer = await client.responses.create({ model, input: text, instructions: "Be brief.", max_output_tokens: 64 });
    return { text: answer.output_text, total: answer.usage.total_tokens, status: answer.status };
  },

  // By the bare iterator, and by the helper that checks the order of events and the identity of items.
  async stream({ model, text }) {
    const seen = { pieces: 0, text: "", numbers: [] };
    let last;
    for await (const event of await client.responses.create({ model, input: text, instructions: "Be brief.", stream: true })) {
      seen.numbers.push(event.sequence_number);
      if (event.type === "response.output_text.delta") {
        seen.pieces += 1;
        seen.text += event.delta;
      }
      last = event;
    }
    const helper = await client.responses.stream({ model, input: text, instructions: "Be brief." }).finalResponse();
    return { ...seen, last: last.type, total: last.response.usage.total_tokens, helper: helper.output_text };
  },

  async tools({ model, text, streamed }) {
    const asked = { model, tools: [tool] };
    const first = streamed ? await client.responses.stream({ ...asked, input: text }).finalResponse() : await client.responses.create({ ...asked, input: text });
    const calls = first.output.filter((item) => item.type === "function_call");
    const results = calls.map((call) => ({ type: "function_call_output", call_id: call.call_id, output: highWater(JSON.parse(call.arguments).place) }));
    const last = await client.responses.create({ ...asked, previous_response_id: first.id, input: results });
    return { calls: calls.map((call) => [call.name, JSON.parse(call.arguments)]), text: last.output_text };
  },

  async schema({ model, text }) {
    const answer = await client.responses.parse({ model, input: text, text: { format: zodTextFormat(City, "city") } });
    return answer.output_parsed;
  },

  async items({ model, text }) {
    const answer = await client.responses.create({ model, input: text });
    const ids = [];
    for await (const item of client.responses.inputItems.list(answer.id)) ids.push(item.id);
    const again = await client.responses.create({ model, input: [...answer.output.map(({ id }) => ({ type: "item_reference", id })), { role: "user", content: "And?" }] });
    await client.responses.delete(answer.id);
    return { ids, again: again.status };
  },

  async badKey({ model }) {
    return (await new OpenAI({ apiKey: "sk-wrong-0123456789", maxRetries: 0 }).responses.create({ model, input: "hi" })).status;
  },

  async goesOn({ previous }) {
    return (await client.responses.create({ model: "demo", input: "And?", previous_response_id: previous })).status;
  },

  async broken({ model, text, helper }) {
    if (helper) return (await client.responses.stream({ model, input: text }).finalResponse()).output_text;
    let seen = "";
    for await (const event of await client.responses.create({ model, input: text, stream: true })) seen += event.delta ?? "";
    return seen;
  },

  async abort({ model, text }) {
    const stream = await client.responses.create({ model, input: text, stream: true });
    for await (const event of stream) if (event.type === "response.output_text.delta") break;
    return true;
  },
});
