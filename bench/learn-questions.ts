/**
 * Writes the questions that bench/learn-with-trl.sh compares on, for viva (a jsonl data set) and for TRL (the same rows with
 * the text of the prompt): 104 to train on and 520 held out, on generated images, those of `viva demo`.
 * usage: npx tsx bench/learn-questions.ts FOLDER
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { promptStyle, questionMessages } from "../src/answers/prompts.ts";
import type { RawImage } from "../src/core/records.ts";
import { loadRecipe } from "../src/recipes/load.ts";
import { loadExamples } from "../src/session/examples.ts";

const folder = join(process.argv[2]!, "data");
mkdirSync(join(folder, "images"), { recursive: true });
const { recipe } = loadRecipe(fileURLToPath(new URL("../recipes/demo-grpo.yaml", import.meta.url)));
for (const [split, spec] of [
  ["train", recipe.data.train],
  ["test", recipe.data.eval!],
] as const) {
  const { examples } = await loadExamples(spec, recipe);
  const files = new Map<string, string>();
  const rows = [];
  for (const { images, question, answer, answerType, choices, subjectId, ...example } of examples) {
    const { path, pixels } = images[0]!;
    if (!files.has(path)) {
      files.set(path, `images/${split}-${files.size}.png`);
      await writeImage(join(folder, files.get(path)!), pixels!);
    }
    const id = example.id.replaceAll("/", "_");
    const options = choices.length > 0 ? { choices } : {};
    const row = {
      id,
      image: files.get(path)!,
      question,
      answer,
      ...options,
      subject: subjectId,
      answer_type: answerType,
    };
    const [message] = questionMessages(
      { images, question, answer, answerType, choices, subjectId, ...example },
      promptStyle("think_answer"),
    );
    const prompt = message!.content.flatMap((part) => (part.type === "text" ? part.text : [])).join("");
    rows.push({ row, prompt });
  }
  const asLines = (of: readonly unknown[]) => of.map((value) => `${JSON.stringify(value)}\n`).join("");
  writeFileSync(join(folder, `${split}.jsonl`), asLines(rows.map(({ row: { answer_type: _, ...row } }) => row)));
  writeFileSync(join(folder, `${split}-prompts.jsonl`), asLines(rows.map(({ row, prompt }) => ({ ...row, prompt }))));
}

async function writeImage(file: string, { width, height, channels, data }: RawImage): Promise<void> {
  await sharp(data, { raw: { width, height, channels } }).png().toFile(file);
}
