/**
 * Measures what the pages of viva ui promise: npx tsx bench/ui.ts. Prints a row per budget; those of a browser need Chromium.
 * Everything is made in a temporary folder. Where the machine's speed matters, a ratio to plain work on the same bytes stands
 * beside the time.
 */
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import sharp from "sharp";
import { indexGroups } from "../src/ui/groups.ts";
import { openLibrary } from "../src/ui/library.ts";
import { buildPages, launch, noBrowser, remove, serve } from "../test/browser/pages.ts";
import { group, jsonl, writeUiRun } from "../test/ui/runs.ts";

const root = realpathSync(mkdtempSync(join(tmpdir(), "viva-bench-ui-")));
const ms = (value: number) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
const row = (what: string, measured: string, budget: string) =>
  console.log([what.padEnd(52), measured.padEnd(40), budget].join(""));
const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);
const share = (values: readonly number[], at: number) =>
  sorted(values)[Math.min(values.length - 1, Math.floor(at * values.length))]!;

console.log(`${cpus().length} cores, ${cpus()[0]?.model.trim()}, Node ${process.version}`);
row("what (on the server: CPU time)", "measured", "budget");
index();
library();
const pages = await buildPages();
load(pages);
if (noBrowser === null) await browserBudgets(pages);
else console.log(noBrowser);
remove(root, pages);

/** 100,000 completions in 12,500 groups, some 54 MB; then eight times as many. */
function index(): void {
  const file = join(root, "rollouts.jsonl");
  writeGroups(file, 0);
  const plain = time(() => {
    for (const line of readFileSync(file, "utf8").split("\n")) if (line !== "") JSON.parse(line);
  });
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const groups = indexGroups(file);
  const taken = time(() => groups.file.update());
  row(
    `index 100,000 completions, ${megabytes(file)}`,
    `${ms(taken)}, ${(taken / plain).toFixed(2)} × reading and parsing`,
    "500 ms",
  );
  row("  memory that it takes", `${((process.memoryUsage().rss - before) / 1e6).toFixed(0)} MB`, "");
  const opens = Array.from({ length: 2000 }, (_, i) => time(() => groups.group(`${(i * 37) % 781}/${i & 15}`)));
  row("open any group", `p99 ${ms(share(opens, 0.99))}`, "20 ms");
  row("scan all texts", ms(time(() => groups.search("nothing like this", 10))), "200 ms");
  row("columns of all groups as JSON", ms(time(() => JSON.stringify(groups.columns()))), "");
  for (let part = 1; part < 8; part++) writeGroups(file, part);
  const all = indexGroups(file);
  row(`index 800,000 completions, ${megabytes(file)}`, ms(time(() => all.file.update())), "3 s");
  rmSync(file);
}

function megabytes(file: string): string {
  return `${(statSync(file).size / 1e6).toFixed(0)} MB`;
}

/** Appends 12,500 groups of eight completions. */
function writeGroups(file: string, part: number): void {
  const text =
    "The left lung shows a nodule in its middle zone, and there is no pleural effusion on either side. ".repeat(2);
  const one = group(1, 0, { text });
  const plainOnes = one.completions.map(plainOf);
  const eight = { ...one, completions: [...plainOnes, ...plainOnes] };
  const lines = Array.from({ length: 12_500 }, (_, i) => {
    const step = 1000 * part + (i >> 4);
    return JSON.stringify({ ...eight, id: `${step}/${i & 15}`, step, example_id: `e${i % 500}` });
  });
  appendFileSync(file, `${lines.join("\n")}\n`);
}

function library(): void {
  const folder = join(root, "runs");
  const metrics = jsonl(
    Array.from({ length: 200 }, (_, i) => ({ step: i + 1, stage: "grpo", "reward/mean": i / 200, "time/step_s": 1 })),
  );
  for (let i = 0; i < 1000; i++) {
    const run = join(folder, `study-${i >> 6}/run-${i}`);
    mkdirSync(run, { recursive: true });
    writeFileSync(join(run, "recipe.yaml"), `name: run ${i}\nmodel:\n  path: viva-tiny\nstages:\n  - kind: grpo\n`);
    writeFileSync(join(run, "metrics.jsonl"), metrics);
    writeFileSync(
      join(run, "events.jsonl"),
      jsonl([
        { event: "stage_start", step: 1, steps: 200 },
        { event: "run_end", step: 200 },
      ]),
    );
  }
  const runs = openLibrary([folder]);
  row("1,000 runs listed, the first time", ms(time(() => runs.rows())), "700 ms");
  row("  and again", ms(time(() => runs.rows())), "");
}

function load(folder: string): void {
  const files = [...openPagesOf(folder)];
  const zipped = files.reduce((sum, bytes) => sum + gzipSync(bytes).length, 0);
  row("first load, gzip", `${(zipped / 1000).toFixed(1)} kB`, "120 kB");
}

function openPagesOf(folder: string): readonly Buffer[] {
  const index = readFileSync(join(folder, "index.html"), "utf8");
  const assets = [...index.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)].map(([, name]) =>
    readFileSync(join(folder, name!)),
  );
  return [Buffer.from(index), ...assets];
}

async function browserBudgets(folder: string): Promise<void> {
  const runs = join(root, "shown");
  await writeUiRun(join(runs, "live"));
  const many = await writeUiRun(join(runs, "many"));
  const keys = Array.from({ length: 24 }, (_, c) => Array.from({ length: 8 }, (_, k) => `panel${c}/value${k}`)).flat();
  const wave = (step: number, i: number) => Math.sin(step / 50 + i) + Math.random() / 5;
  writeFileSync(
    join(many, "metrics.jsonl"),
    jsonl(
      Array.from({ length: 2000 }, (_, s) => ({
        step: s + 1,
        stage: "grpo",
        ...Object.fromEntries(keys.map((key, i) => [key, wave(s, i)])),
      })),
    ),
  );
  const text = "a nodule here. ".repeat(400);
  const spans = Array.from({ length: 400 }, (_, i) => ({
    reward: "judge",
    start: 15 * i,
    end: 15 * i + 13,
    label: "claim",
    verdict: i % 2 === 0,
  }));
  const big = group(9, 0);
  const cards = Array.from({ length: 16 }, (_, i) => ({
    ...plainOf(big.completions[0]!),
    text: `${text}${i}`,
    evidence: spans,
    parsed_answer: null,
  }));
  const deep = join(many, "large.png");
  const values = Uint16Array.from({ length: 1024 * 1024 }, (_, i) => (i * 7919) % 4096);
  await sharp(values, { raw: { width: 1024, height: 1024, channels: 1 } })
    .toColourspace("grey16")
    .png()
    .toFile(deep);
  const image = group(8, 0, { image: deep, sha256: "9".repeat(64) });
  writeFileSync(join(many, "rollouts.jsonl"), jsonl([image, { ...big, completions: cards }]));
  const server = await serve(runs, folder);
  const browser = await launch();
  const page = await browser.newPage({ viewport: { width: 1400, height: 4500 } });
  const { runs: found } = (await (await fetch(`${server.url}api/runs`)).json()) as {
    runs: { id: string; path: string }[];
  };
  const id = (path: string) => found.find((one) => one.path === path)!.id;

  await page.goto(`${server.url}runs/${id("live")}`);
  await page.waitForSelector(".u-wrap");
  await page.waitForTimeout(500);
  const delays: number[] = [];
  for (let step = 5; step < 45; step++) {
    const shown = page.waitForFunction(
      (wanted) => document.querySelector(".facts")?.textContent?.includes(`step ${wanted}`),
      step,
      { polling: "raf" },
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    const began = performance.now();
    appendFileSync(join(runs, "live/metrics.jsonl"), jsonl([{ step, stage: "grpo", "reward/mean": 0.5 }]));
    await shown;
    delays.push(performance.now() - began);
  }
  row(
    "append to a file → painted, 40 times",
    `p50 ${ms(share(delays, 0.5))}, p99 ${ms(share(delays, 0.99))}`,
    "p99 250 ms",
  );

  await page.goto("about:blank");
  const drawn = await painted(page, () => page.goto(`${server.url}runs/${id("many")}`), ".u-wrap", 24);
  row("24 charts × 8 curves × 2,000 points, whole page", `${ms(drawn)} CPU`, "500 ms");
  await page.goto(`${server.url}runs/${id("many")}/rollouts/8/0`);
  await page.waitForSelector(".card");
  const rendered = await painted(page, () => page.keyboard.press("j"), ".card", 16);
  row("a group of 16 × 400 spans, rendered", `${ms(rendered)} CPU`, "150 ms");
  await page.goto(`${server.url}runs/${id("many")}/rollouts/8/0?image=0`);
  await page.waitForSelector(".viewer canvas");
  await page.waitForTimeout(500);
  const used = await cpuOf(page);
  await page.evaluate(async () => {
    for (let i = 0; i < 30; i++) {
      const canvas = document.querySelector(".viewer canvas")!;
      const before = canvas.getAttribute("aria-label");
      window.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp" }));
      while (canvas.getAttribute("aria-label") === before) await new Promise((resolve) => setTimeout(resolve, 0));
      await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 20)));
    }
  });
  row("window and level, 1024² of 16 bits, key → new pixels", `mean ${ms((await used()) / 30)} CPU`, "20 ms");
  await browser.close();
  await server.close();
}

/** The page's own CPU time from what is done until `count` elements are there and shown. */
async function painted(page: Page, begin: () => Promise<unknown>, selector: string, count: number): Promise<number> {
  const used = await cpuOf(page);
  await begin();
  await page.waitForFunction(([what, wanted]) => document.querySelectorAll(what).length >= wanted, [
    selector,
    count,
  ] as const);
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve, 0))));
  return used();
}

/** Milliseconds of CPU that the page's main thread has used since: a busy machine does not count. */
async function cpuOf(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const total = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return 1000 * metrics.find(({ name }) => name === "TaskDuration")!.value;
  };
  const before = await total();
  return async () => (await total()) - before;
}

/** A completion without its turns with tools. */
function plainOf({
  turns: _,
  ...completion
}: ReturnType<typeof group>["completions"][number] & { readonly turns?: unknown }) {
  return completion;
}

/** Milliseconds of this process's own work: a busy machine does not count. */
function time(work: () => unknown): number {
  const began = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1000;
}
