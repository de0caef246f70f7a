/** The recipe of docs/own-data.md, as it is printed, on sixty small images: it must teach what they show, whatever the seed. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { expect, it } from "vitest";
import { jsonLines, root, temporaryFolder, vivaOk } from "../cli/command-line.ts";
import { type Row, writeRows } from "../cli/tiny-run.ts";

const folder = temporaryFolder();
const side = 112;

/** A disc on the left or on the right, bright or dark, and a question about one of the two: no answer without the image. */
async function drawDisc(name: string, i: number): Promise<Row> {
  const [isLeft, isBright] = [i % 2 === 0, (i >> 1) % 2 === 0];
  const x = side * (isLeft ? 0.25 : 0.75) + ((i * 7) % 9) - 4;
  const y = side / 2 + ((i * 5) % 21) - 10;
  const [ground, light] = [40 + ((i * 11) % 30), isBright ? 235 : 110];
  const svg = `<svg width="${side}" height="${side}"><rect width="100%" height="100%" fill="rgb(${ground},${ground},${ground})"/><circle cx="${x}" cy="${y}" r="${16 + (i % 4)}" fill="rgb(${light},${light},${light})"/></svg>`;
  const image = `images/${name}-${i}.png`;
  await sharp(Buffer.from(svg))
    .png()
    .toFile(join(folder, "my-data", image));
  const yes = (holds: boolean) => (holds ? "yes" : "no");
  const questions: readonly Row[] = [
    { question: "On which side is the disc?", answer: isLeft ? "left" : "right", choices: ["left", "right"] },
    { question: "Is the disc bright?", answer: yes(isBright) },
    { question: "Is the disc on the left?", answer: yes(isLeft) },
  ];
  return { image, subject: `${name}-${i}`, ...questions[i % 3] };
}

/** Sixty images to learn from and thirty to be asked about; the second set goes on where the first ends. */
async function writeData(): Promise<void> {
  mkdirSync(join(folder, "my-data/images"), { recursive: true });
  const all = await Promise.all(Array.from({ length: 90 }, (_, i) => drawDisc("disc", i)));
  writeRows(join(folder, "my-data/train.jsonl"), all.slice(0, 60));
  writeRows(join(folder, "my-data/test.jsonl"), all.slice(60));
}

it("ends far above its start and above every answer that does not look", async () => {
  await writeData();
  symlinkSync(join(root, "assets"), join(folder, "assets"));
  const page = readFileSync(join(root, "docs/own-data.md"), "utf8");
  const recipe = /```yaml\n(name: my-first-run\n[\s\S]*?)```/.exec(page)?.[1];
  writeFileSync(join(folder, "my-recipe.yaml"), recipe!);
  for (const seed of [42, 1, 2]) {
    const run = `seed-${seed}`;
    await vivaOk(folder, "train", "my-recipe.yaml", "--run", run, "--set", `seed=${seed}`, "--quiet");
    const summaries = jsonLines(folder, run, "evals.jsonl").filter(({ kind }) => kind === "summary");
    const accuracies = summaries.map(({ subsets }) => subsets.overall.accuracy.estimate as number);
    const { baselines } = summaries.at(-1).subsets.overall;
    const blind = Math.max(baselines.majority.accuracy, baselines.question_only.accuracy);
    console.log(`seed ${seed}: ${accuracies.join(", ")}; without the image ${blind}`);
    expect(accuracies.at(-1), `${run} against its start`).toBeGreaterThan(accuracies[0]! + 0.2);
    expect(accuracies.at(-1), `${run} against the best answer without the image`).toBeGreaterThan(blind + 0.1);
  }
});
