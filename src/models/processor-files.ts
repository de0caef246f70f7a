/** What processors of all families share: the files of a model folder that they read, and the texts that they refuse. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { UserError } from "../core/errors.ts";
import type { Message } from "../core/records.ts";
import { readJson } from "../io/files.ts";
import type { Tokenizer } from "../io/tokenizer.ts";

/** The image processor's configuration, from preprocessor_config.json or processor_config.json, and the file it is in. */
export function readImageProcessorJson(folder: string): { readonly json: unknown; readonly path: string } {
  const path = join(folder, "preprocessor_config.json");
  const combined = join(folder, "processor_config.json"); // transformers 5 may put all processors of a model here
  if (!existsSync(path) && existsSync(combined)) {
    const json = readJson(combined, "processor configuration") as { image_processor?: object } | null;
    if (json?.image_processor) return { json: json.image_processor, path: combined };
  }
  return { json: readJson(path, "image processor configuration"), path };
}

/** A parsed image processor configuration under a schema; `path` names the file in errors. */
export function checkImageProcessorJson<T>(schema: z.ZodType<T>, json: unknown, path: string): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw new UserError(`image processor configuration ${path}: ${issue.path.join(".") || "the file"}: ${issue.message}`);
}

/** The token ids that end a completion by generation_config.json; null where it names none. */
export function readStopTokens(folder: string): readonly number[] | null {
  const path = join(folder, "generation_config.json");
  if (!existsSync(path)) return null;
  const id = z.int().min(0);
  const schema = z.looseObject({ eos_token_id: z.union([id, z.array(id).min(1)]).nullish() });
  const result = schema.safeParse(readJson(path, "generation configuration"));
  if (!result.success)
    throw new UserError(`generation configuration ${path}: eos_token_id must be a token id or a list`);
  const ids = result.data.eos_token_id;
  return ids == null ? null : Array.isArray(ids) ? ids : [ids];
}

/** Texts as they meet in the prompt: neighbouring parts joined, since a special token could be spelled across them. */
export function textRuns(message: Message): readonly string[] {
  const runs = [""];
  for (const part of message.content) {
    if (part.type === "text") runs.push(runs.pop()! + part.text);
    else runs.push("");
  }
  return runs;
}

/** Throws UserError for a text that spells a special token; `where` names the text. */
export function refuseSpecialTokens(tokenizer: Tokenizer, texts: readonly string[], where: string): void {
  for (const token of tokenizer.specialTokens) {
    if (texts.some((text) => text.includes(token))) {
      throw new UserError(`${where} contains "${token}", a special token of the model: take it out of the text`);
    }
  }
}
