/** The files of a model folder that go wherever its weights go: tokenizer, processors, templates, generation defaults, licence. */
import { copyFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const COMPANIONS =
  /^(tokenizer.*|special_tokens_map|(video_)?preprocessor_config|processor_config|generation_config|vocab|added_tokens|chat_template)\.(json|jinja|txt)$|^merges\.txt$|^(LICENSE|NOTICE)(\.(txt|md))?$/;

export function isCompanion(file: string): boolean {
  return COMPANIONS.test(file);
}

/** Copies them, files and no links: those of a Hub cache lead to its blobs. `to` must exist. */
export function copyCompanions(from: string, to: string): void {
  for (const file of readdirSync(from)) if (isCompanion(file)) copyFileSync(join(from, file), join(to, file));
}
