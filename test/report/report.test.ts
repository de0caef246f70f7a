import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { report } from "../../src/cli/report.ts";
import { jsonLines } from "../cli/command-line.ts";
import { type Browser, findChromium, openBrowser } from "./chromium.ts";
import { hostile, writeRun } from "./run-folders.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-report-"));
const at = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const read = async (run: string) => readFileSync((await report([run])).file, "utf8");

describe("a report", () => {
  it("has every section, the image, marked claims and the recipe, and escapes all texts from files", async () => {
    const page = await read(await writeRun(at("whole"), { steps: 20 }));
    for (const id of ["summary", "accuracy", "training", "types", "rollouts", "events", "configuration"]) {
      expect(page).toContain(`<section id="${id}">`);
    }
    expect(page).toContain('<img src="data:image/webp;base64,');
    expect(page).toMatch(/<mark class="v-true"[^>]*>left/);
    expect(page).toContain("image not found: gone-&lt;script&gt;");
    expect(page).toContain("truncated");
    expect(page).not.toContain(hostile.slice(0, 20));
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).not.toMatch(/<img src=x|<svg onload/);
    expect(page).not.toMatch(/(?:src|href)="https?:/);
  });

  it("shows each call of a tool with its arguments, its image and what the completion was paid", async () => {
    const run = await writeRun(at("called"), { steps: 1, groupsPerStep: 1, completions: 2 });
    const film = join(run, "film.png");
    const crop = { path: `${film}#crop=20,30,120,130`, sha256: "1", width: 100, height: 100 };
    const call = { name: "crop", arguments: { box: [20, 30, 120, 130] } };
    const turns = [
      { text: "Closer.", call, observation: { text: "", is_error: false, image: crop } },
      { text: hostile, call: null, observation: { text: `error: ${hostile}`, is_error: true, image: null } },
      { text: "left", call: null, observation: null },
    ];
    const [group] = jsonLines(run, "rollouts.jsonl") as { completions: object[] }[];
    const completions = group!.completions.map((own, c) => {
      return c === 0 ? own : { ...own, turns, rewards: { tool_use: 1.25 }, reward: 1.25 };
    });
    writeFileSync(join(run, "rollouts.jsonl"), `${JSON.stringify({ ...group, completions })}\n`);
    const page = await read(run);
    const [shown] = /<li><div class="said"><div class="turn">.*?<\/li>/s.exec(page)!;
    const [first, second] = shown!.match(/<div class="turn">.*?<\/div>/gs)!;
    expect(first).toContain("<code>crop({&quot;box&quot;:[20,30,120,130]})</code>");
    expect(first).toMatch(/<img src="data:image\/webp;base64,[^"]+" width="100" height="100"/);
    expect(second).toContain("a call that cannot be read");
    expect(second).toMatch(/<p class="observed warn">error: &lt;script/);
    expect(shown).toContain("tool_use <b>1.25</b>");
    expect(page).not.toContain(hostile.slice(0, 20));
  });

  it("reports a run that is still going, has no evaluation, and an empty or truncated file", async () => {
    const run = await writeRun(at("partial"), { steps: 12 });
    rmSync(join(run, "evals.jsonl"));
    rmSync(join(run, "environment.json"));
    truncateSync(join(run, "rollouts.jsonl"), 0);
    writeFileSync(
      join(run, "events.jsonl"),
      '{"event":"stage_start","step":1,"stage":"grpo","steps":30}\n{"event":"che',
    );
    appendFileSync(join(run, "metrics.jsonl"), '{"step":13,"reward/me');
    const page = await read(run);
    expect(page).toContain("no end recorded: at step 12 of 12");
    expect(page).toContain("no evaluation so far");
    expect(page).toContain("evals.jsonl is missing");
    expect(page).toContain('<section id="training">');
    expect(page).not.toContain('<section id="rollouts">');
  });

  it("reads a file up to a damaged row, and says so", async () => {
    const run = await writeRun(at("damaged"), { steps: 6 });
    const lines = readFileSync(join(run, "rollouts.jsonl"), "utf8").split("\n");
    writeFileSync(join(run, "rollouts.jsonl"), [...lines.slice(0, 4), "{broken", ...lines.slice(4)].join("\n"));
    writeFileSync(join(run, "recipe.yaml"), "name: [unclosed");
    const page = await read(run);
    expect(page).toContain("rollouts.jsonl is read up to a damaged row");
    expect(page).toContain("4 of 4 groups");
  });

  it("compares several runs with the first, in a forest plot and by the keys that differ", async () => {
    const runs = [await writeRun(at("a"), { steps: 5 }), await writeRun(at("b"), { steps: 9, evaluations: 1 })];
    const { file } = await report(runs, at("both.html"));
    const page = readFileSync(file, "utf8");
    expect(page).toContain("Forest plot: difference in accuracy from a. a at its start: ");
    expect(page).toContain("<code>stages.<wbr>0.<wbr>steps</code>");
    expect(page).toMatch(/\d+, \d+, p [=<]/);
    expect(page).toContain('<th scope="row">a at its start</th>');
    const named = readFileSync((await report(runs, at("named.html"), "as it ships")).file, "utf8");
    expect(named).toMatch(/<th scope="row">as it ships<\/th>.*before training.*<th scope="row">.*b<\/span>/s);
    expect(named).toContain("Forest plot: difference in accuracy from a. as it ships: ");
  });

  it("refuses a folder without a run, a run named twice, and an output in a missing folder, in one sentence", async () => {
    const run = await writeRun(at("good"), { steps: 2 });
    await expect(report([at("nowhere")])).rejects.toThrow(/no such folder/);
    await expect(report([folder])).rejects.toThrow(/no run here/);
    await expect(report([run, run])).rejects.toThrow(/named twice/);
    await expect(report([run], at("nowhere/report.html"))).rejects.toThrow(/there is no folder/);
  });

  it("of 3,000 steps with 64 completions takes little memory and stays below 5 MB", async () => {
    const run = await writeRun(at("long"), { steps: 3000, groupsPerStep: 1, completions: 64, evaluations: 40 });
    const before = process.memoryUsage().rss;
    const started = process.cpuUsage();
    const { bytes } = await report([run]);
    const seconds = process.cpuUsage(started).user / 1e6;
    expect(statSync(join(run, "rollouts.jsonl")).size).toBeGreaterThan(1e8);
    expect(seconds).toBeLessThan(20);
    expect(bytes).toBeLessThan(5e6);
    expect(process.memoryUsage().rss - before).toBeLessThan(400e6);
  }, 120_000);
});

const chromium = findChromium();

describe.skipIf(chromium === null)(
  `a report in Chromium${chromium === null ? " (skipped: chromium is not installed)" : ""}`,
  () => {
    let browser: Browser;
    let files: readonly string[];

    beforeAll(async () => {
      const one = await writeRun(at("shown"), { steps: 60 });
      const other = await writeRun(at("other"), { steps: 40 });
      files = [(await report([one])).file, (await report([one, other], at("shown.html"))).file];
      browser = await openBrowser(chromium!);
    }, 60_000);
    afterAll(() => browser?.close());

    it.each([
      [390, false],
      [390, true],
      [1280, false],
    ])(
      "shows charts and images at %i px without overflow, error or request; dark: %s",
      async (width, dark) => {
        for (const file of files) {
          const before = browser.events.length;
          await browser.open(file, { width, height: 900, dark });
          expect(await browser.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
          const overflow =
            "[...document.querySelectorAll('table.recipes')].map((t) => t.scrollWidth - t.parentElement.clientWidth)";
          for (const pixels of await browser.evaluate<number[]>(overflow)) expect(pixels).toBeLessThanOrEqual(0);
          expect(await browser.evaluate("document.querySelectorAll('svg.chart .line').length")).toBeGreaterThan(4);
          expect(await browser.evaluate("document.querySelectorAll('svg.forest .row').length")).toBeGreaterThan(0);
          const images = "[...document.querySelectorAll('img')].map((img) => img.complete && img.naturalWidth)";
          expect(new Set(await browser.evaluate<unknown[]>(images))).toEqual(new Set([224]));
          expect(await browser.evaluate("typeof window.hacked")).toBe("undefined");
          const background = await browser.evaluate<string>("getComputedStyle(document.body).backgroundColor");
          expect(background).toBe(dark ? "rgb(16, 20, 24)" : "rgb(246, 247, 248)");
          const told = browser.events.slice(before);
          const requested = told.flatMap(({ method, params }) =>
            method === "Network.requestWillBeSent" ? [(params["request"] as { url: string }).url] : [],
          );
          expect(requested.filter((url) => !url.startsWith("data:"))).toEqual([`file://${file}`]);
          expect(told.filter(({ method }) => /exceptionThrown|entryAdded|consoleAPICalled/.test(method))).toEqual([]);
        }
      },
      60_000,
    );

    it("shows a chart's values by keyboard, and filters rollouts", async () => {
      await browser.open(files[1]!, { width: 1280, height: 900 });
      const key =
        "document.querySelector('svg[data-chart]').dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft' }))";
      await browser.evaluate(key);
      expect(await browser.evaluate("document.getElementById('tip').textContent")).toMatch(/^shown, step \d+: \d+ %/);
      const visible = "document.querySelectorAll('article.rollout:not([hidden])').length";
      const all = await browser.evaluate<number>(visible);
      await browser.evaluate(
        "(() => { const form = document.getElementById('filters'); form.run.value = 'other'; form.dispatchEvent(new Event('input')); })()",
      );
      const some = await browser.evaluate<number>(visible);
      expect(some).toBeGreaterThan(0);
      expect(some).toBeLessThan(all);
    });
  },
);
