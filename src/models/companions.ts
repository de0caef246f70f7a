/** The files of a model folder that go wherever its weights go: tokenizer, processors, templates, generation defaults, licence. */
import { copyFileSync, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const COMPANIONS =
  /^(tokenizer.*|special_tokens_map|(video_)?preprocessor_config|processor_config|generation_config|vocab|added_tokens|chat_template)\.(json|jinja|txt)$|^merges\.txt$|^(LICENSE|NOTICE)(\.(txt|md))?$/;

export function isCompanion(file: string): boolean {
  return COMPANIONS.test(file);
}

/** Where they lie for an adapter: a run's own has them beside it as training used them; one made elsewhere may not. */
export function companionFolder(folder: string, base: string): string {
  return existsSync(join(folder, "tokenizer.json")) ? folder : base;
}

/** Copies them, files and no links: those of a Hub cache lead to its blobs. `to` must exist. */
export function copyCompanions(from: string, to: string): void {
  for (const file of readdirSync(from)) if (isCompanion(file)) copyFileSync(join(from, file), join(to, file));
}
