/**
 * A stand-in judge: an OpenAI-compatible chat server on the loopback that answers viva's judge prompt by a deterministic
 * rule. It shows that an arm with a judge runs and learns; it has no medical knowledge.
 * The rule: YES if the reasoning asserts the same medical concepts as the reference reasoning (or, without one, the
 * reference answer), sides included, and no others; else NO. Concepts are those of the scorer `concepts` (docs/rewards.md).
 * usage: npx tsx bench/stand-in-judge.ts [--port 8000]
 */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compareConcepts } from "../src/answers/concepts/match.ts";
import { parseVocabulary } from "../src/answers/concepts/vocabulary.ts";
import { judgePrompt } from "../src/rewards/semantic/judge.ts";

const file = fileURLToPath(new URL("../assets/vocabulary.json", import.meta.url));
const vocabulary = parseVocabulary(JSON.parse(readFileSync(file, "utf8")), file);

/** The judge's prompt with a capture group for each placeholder, to recover the values. */
const filled = new RegExp(
  `^${judgePrompt
    .split(/\{(\w+)\}/)
    .map((part, i) => (i % 2 === 1 ? `(?<${part}>[^]*?)` : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")))
    .join("")}$`,
);

/** "VERDICT: YES" or "VERDICT: NO"; null for a text that is not viva's judge prompt. */
export function standInReply(prompt: string): string | null {
  const given = filled.exec(prompt)?.groups;
  if (given === undefined) return null;
  const reasoning = given["reference_rationale"]!;
  const reference = reasoning === "(none)" ? given["reference"]! : reasoning;
  const agreement = compareConcepts(given["rationale"]!, reference, vocabulary);
  return `VERDICT: ${agreement === null || agreement === 1 ? "YES" : "NO"}`;
}

/** Serves on the loopback; port 0 picks a free one. */
export async function serveStandInJudge(port: number): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer(async (request, response) => {
    const answer = (status: number, value: object) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    try {
      let text = "";
      for await (const chunk of request) text += String(chunk);
      if (request.url !== "/v1/chat/completions") return void answer(404, { error: { message: "no such address" } });
      const reply = standInReply(lastText(JSON.parse(text)));
      if (reply === null) return void answer(400, { error: { message: "this is not viva's own prompt for judges" } });
      const message = { role: "assistant", content: reply };
      answer(200, { object: "chat.completion", choices: [{ index: 0, message, finish_reason: "stop" }] });
    } catch (error) {
      answer(400, { error: { message: String(error) } });
    }
  });
  await new Promise<void>((ready, failed) => server.once("error", failed).listen(port, "127.0.0.1", ready));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, server };
}

type Part = { readonly type: string; readonly text?: string };

function lastText({
  messages,
}: {
  readonly messages: readonly { readonly content: string | readonly Part[] }[];
}): string {
  const { content } = messages.at(-1)!;
  return typeof content === "string" ? content : content.map(({ text = "" }) => text).join("");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "8000" } } });
  const { url } = await serveStandInJudge(Number(values.port));
  console.log(`stand-in judge at ${url}`);
}
