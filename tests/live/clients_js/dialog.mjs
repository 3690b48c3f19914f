// The client's side of `client_cases.Client`: one job a line comes in, one result a line goes out.
import readline from "node:readline";

const LONGEST = 4000;

// Does what is asked until standard input ends. A result is a line `@NUMBER {"value": ...}`; what the client itself prints stands between.
export async function serve(checks) {
  let number = 0;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { check, ...args } = JSON.parse(line);
    number += 1;
    const result = await checks[check](args).then((value) => ({ value: value ?? null }), failure);
    process.stdout.write(`\n@${number} ${JSON.stringify(result)}\n`);
  }
}

// What a person sees of an error, and what a program can look at.
function failure(error) {
  const chain = [];
  for (let kind = error.constructor; kind?.name; kind = Object.getPrototypeOf(kind)) chain.push(kind.name);
  const causes = [];
  for (let cause = error.cause; cause; cause = cause.cause) causes.push(cause.code ?? cause.message);
  return {
    raised: chain,
    text: String(error.message).slice(0, LONGEST),
    status: error.status ?? error.statusCode ?? null,
    code: error.code ?? null,
    type: error.type ?? null,
    causes,
    traceback: String(error.stack).slice(-LONGEST),
  };
}

// Keeps whatever `work` gives and measures it: {value, seconds}.
export async function timed(work) {
  const started = performance.now();
  const value = await work();
  return { value, seconds: (performance.now() - started) / 1000 };
}

// The tool of all checks, in words and as a program.
export const TIDE = { name: "tide", description: "When is high water at a place?" };
export const highWater = (place) => `high water at 14:05 in ${place}`;
