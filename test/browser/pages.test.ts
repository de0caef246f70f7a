import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LiveAnswers, LiveQuestion } from "../../src/core/live-answers.ts";
import type { RunRow } from "../../src/ui/run-row.ts";
import type { UiServer } from "../../src/ui/server.ts";
import { group, jsonl, writeUiRun } from "../ui/runs.ts";
import { buildPages, launch, noBrowser, open, remove, serve, violations } from "./pages.ts";
import { writeStudy } from "./study.ts";

if (noBrowser !== null) console.log(`skipped: ${noBrowser}`);

/** Texts that would run, load or break something where they were taken for markup. */
const hostile = [
  `<script>window.hacked=1</script>`,
  `<img src=x onerror="window.hacked=1">`,
  `"><svg onload=window.hacked=1>`,
  `javascript:window.hacked=1`,
  `<a href="javascript:window.hacked=1">x</a><iframe srcdoc="<script>parent.hacked=1</script>">`,
  `{{constructor.constructor('window.hacked=1')()}} \u202e\u0000 \ud83e\ude7b`,
].join(" ");

describe.skipIf(noBrowser !== null)("the pages", () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "viva-browser-")));
  const asked: LiveQuestion[] = [];
  const play: LiveAnswers = {
    async *ask(question) {
      asked.push(question);
      const text = `of ${question.images[0]?.path.split("/").at(-1)}`;
      yield { completion: 0, text, done: true, answer: "left" };
      if (question.reference === null) return;
      const said = {
        rewards: { accuracy: 1, judge: null },
        weights: { accuracy: 2, judge: 1 },
        reward: 2,
        evidence: [],
      };
      const noFacts = question.example === null ? "no row of the run's training data has this image, as it is" : null;
      const scores = { ...said, unasked: { mine: "a module of one's own is not run from a page" }, noFacts };
      yield { completion: 0, text, done: true, answer: "left", scores };
    },
    async close() {},
  };
  let browser: Browser;
  let server: UiServer;
  let origin: string;
  let pages: string;
  const ids: Record<string, string> = {};

  beforeAll(async () => {
    await writeUiRun(join(root, "good"), { steps: 12 });
    await writeUiRun(join(root, "live"));
    await writeUiRun(join(root, "hostile"), { text: hostile, name: hostile });
    writeStudy(join(root, "study"));
    const scans = await writeUiRun(join(root, "scans"), { steps: 1 });
    const scan = join(scans, "scan.dcm");
    copyFileSync(join(import.meta.dirname, "../golden/dicom/ct_signed_implicit.dcm"), scan);
    appendFileSync(join(scans, "rollouts.jsonl"), jsonl([group(2, 0, { image: scan, sha256: "b".repeat(64) })]));
    [pages, browser] = await Promise.all([buildPages(), launch()]);
    server = await serve(root, pages, { play });
    origin = server.url.replace(/\/$/, "");
    const { runs, studies } = (await (await fetch(`${origin}/api/runs`)).json()) as {
      runs: RunRow[];
      studies: { id: string }[];
    };
    for (const { path, id } of runs) ids[path] = id;
    ids["study"] = studies[0]!.id;
  });
  afterAll(async () => {
    await browser.close();
    await server.close();
    remove(root, pages);
  });

  const addresses = (run: string) => [
    "/",
    `/runs/${run}`,
    `/runs/${run}/rollouts/2/1?c=1&image=0`,
    `/runs/${run}/rollouts/2/0?tokens=1&diff=1`,
    `/runs/${run}/evaluation`,
    `/runs/${run}/alarms`,
    `/runs/${run}/data`,
    `/runs/${run}/checkpoints`,
    `/runs/${run}/play`,
    `/runs/${run}/annotate`,
    `/runs/${run}/annotate?by=dr-z`,
    `/runs/${run}/rewards`,
    `/compare/${run}@0+${run}`,
    `/studies/${ids["study"]}`,
    "/nothing",
  ];

  test.each([
    ["light", { width: 1280 }],
    ["dark", { width: 1280, dark: true }],
    ["360 px", { width: 360 }],
  ] as const)(
    "%s: no violation of WCAG 2.2 AA or of the policy, nothing asked elsewhere, no sideways scrolling",
    async (_, view) => {
      const { page, problems, foreign } = await open(browser, origin, view);
      for (const address of addresses(ids["good"]!)) {
        await page.goto(origin + address);
        await page.waitForSelector("h1");
        await page.waitForLoadState("networkidle").catch(() => {});
        await page.waitForFunction(() => !document.body.textContent?.includes("loading …"));
        expect([address, await violations(page)]).toEqual([address, []]);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect([address, Math.max(0, wide)]).toEqual([address, 0]);
      }
      expect([problems.filter((text) => !text.includes("404")), foreign]).toEqual([[], []]);
      await page.close();
    },
  );

  test("texts of a run are texts: nothing runs, in any field of any page", async () => {
    const { page, problems, foreign } = await open(browser, origin);
    for (const address of addresses(ids["hostile"]!)) {
      await page.goto(origin + address);
      await page.waitForSelector("h1");
      await page.waitForFunction(() => !document.body.textContent?.includes("loading …"));
      expect(await page.evaluate(() => (window as never as { hacked?: number }).hacked)).toBe(undefined);
    }
    await page.goto(`${origin}/runs/${ids["hostile"]}/rollouts/2/0`);
    await page.waitForSelector(".card");
    expect(await page.locator(".card .completion").first().textContent()).toContain("<script>window.hacked=1</script>");
    expect(problems.filter((text) => /Content Security Policy|Trusted/.test(text))).toEqual([]);
    expect(foreign).toEqual([]);
    await page.close();
  });

  test("an address brings back what was seen", async () => {
    const { page } = await open(browser, origin);
    await page.goto(`${origin}/runs/${ids["good"]}/rollouts/3/1?c=2&wl=500,2000&image=0&is.modality=mr&from=2`);
    await page.waitForSelector(".card.chosen");
    expect(await page.locator(".card.chosen").getAttribute("id")).toBe("c1"); // 1 and 2 are one text
    expect(await page.locator('.viewer input[aria-label="window"]').inputValue()).toBe("500");
    expect(await page.locator(".groups a[aria-current]").textContent()).toContain("3/1");
    await page.getByRole("button", { name: "2–98 %" }).click();
    await page.waitForFunction(() => !location.search.includes("wl=500"));
    const moved = page.url();
    const again = await browser.newPage();
    await again.goto(moved);
    await again.waitForSelector(".viewer canvas");
    expect(await again.locator('.viewer input[aria-label="window"]').inputValue()).toBe(
      await page.locator('.viewer input[aria-label="window"]').inputValue(),
    );
    await again.close();
    await page.close();
  });

  test("window and level on 16-bit values give these pixels", async () => {
    const { page } = await open(browser, origin);
    await page.goto(`${origin}/runs/${ids["good"]}/rollouts/3/1?image=0&wl=1000,2000`);
    await page.waitForSelector(".viewer canvas");
    await page.waitForTimeout(200);
    // The image's values are 1000 + 40 x; the window 1500 to 2500 is black at x 12 and before, white from x 38 on.
    const row = await page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>(".viewer canvas")!;
      const context = canvas.getContext("2d")!;
      const scale = Math.min(canvas.width / 64, canvas.height / 48);
      const at = (x: number) =>
        context.getImageData(canvas.width / 2 + (x + 0.5 - 32) * scale, canvas.height / 2, 1, 1).data[0]!;
      return [0, 12, 21, 25, 32, 38, 63].map(at);
    });
    expect(row).toEqual([
      0,
      0,
      ...[21, 25, 32].map((x) => Math.round((255 * (1000 + 40 * x - 1500)) / 1000)),
      255,
      255,
    ]);
    const tint = await page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>(".viewer canvas")!;
      const scale = Math.min(canvas.width / 64, canvas.height / 48);
      const at = (x: number) => [
        ...canvas.getContext("2d")!.getImageData(canvas.width / 2 + (x + 0.5 - 32) * scale, canvas.height / 2, 1, 1)
          .data,
      ];
      return [14, 16, 18].map(at).map(([red, , blue]) => red! - blue! > 50);
    });
    expect(tint).toEqual([false, true, false]); // the mask that the facts have
    await page.close();
  });

  test("CT is windowed in Hounsfield units, by the digits of its presets", async () => {
    const { page } = await open(browser, origin);
    await page.goto(`${origin}/runs/${ids["scans"]}/rollouts/2/0?image=0`);
    await page.getByText("16 bits, Hounsfield units").first().waitFor();
    await page.keyboard.press("5");
    await page.waitForURL(/wl=80,40/); // brain
    await page.keyboard.press("Shift+ArrowUp");
    await page.waitForURL(/wl=80,50/);
    await page.evaluate(() => {
      // a key in the very moment the address takes the window over
      const replace = history.replaceState.bind(history);
      history.replaceState = (...given) => {
        replace(...given);
        history.replaceState = replace;
        queueMicrotask(() => window.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp" })));
      };
    });
    await page.keyboard.press("Shift+ArrowUp");
    await page.waitForURL(/wl=80,61/);
    expect(await violations(page)).toEqual([]);
    await page.close();
  });

  test("a run is given tags, and its alarms are seen to; lists say so", async () => {
    const { page } = await open(browser, origin);
    await page.goto(`${origin}/runs/${ids["scans"]}`);
    await page.getByLabel("tag", { exact: true }).fill("first try");
    await page.keyboard.press("Enter");
    await page.getByText("say your name first").waitFor();
    await page.getByLabel("your name").fill("Dr A");
    await page.getByRole("button", { name: "Add" }).click();
    await page.getByRole("button", { name: "take the tag first-try away" }).waitFor();
    const written = /dr-a, \d{4}-\d\d-\d\d \d\d:\d\d UTC/;
    expect(await page.locator("small", { hasText: written }).count()).toBe(1);
    await page.getByRole("link", { name: "Alarms" }).click();
    expect(await page.getByLabel("your name").inputValue()).toBe("dr-a");
    await page.getByLabel("your name").fill("dr-b");
    await page.getByLabel("what was done").fill("harder questions");
    await page.getByRole("button", { name: "Seen to" }).click();
    await page.getByText("seen to", { exact: true }).waitFor();
    await page.getByText(/^Seen to by dr-b, [-\d]+ [:\d]+ UTC: harder questions Open again$/).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.getByRole("button", { name: "Open again" }).click();
    await page.getByText("open", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Seen to" }).click(); // without a note
    await page.getByText(/^Seen to by dr-b, [-\d]+ [:\d]+ UTC Open again$/).waitFor();
    await page.goto(`${origin}/runs/${ids["scans"]}/annotate`);
    expect(await page.getByLabel("your name").inputValue()).toBe("dr-b");
    await page.goto(`${origin}/?q=tag:first-try`);
    await page.getByText(/^1 of \d+ runs$/).waitFor();
    expect(await page.locator(".alarm-count").count()).toBe(0);
    await page.close();
  });

  test("a checkpoint is asked about an image, and about another subject's in its place", async () => {
    const { page, problems } = await open(browser, origin);
    await page.goto(`${origin}/runs/${ids["good"]}/play?sha=${"f".repeat(64)}`);
    await page.getByRole("button", { name: "Ask" }).click();
    await page.getByText("of film.png", { exact: true }).waitFor();
    await page.getByRole("button", { name: "wrong" }).click();
    await page.getByText("Asked with another subject's image: deep.png").waitFor();
    await page.getByText("64 × 48 pixels, 16 bits").waitFor(); // it is shown, too
    await page.getByRole("button", { name: "Ask" }).click();
    await page.getByText("of deep.png", { exact: true }).waitFor();
    expect(asked.map(({ samples, temperature }) => [samples, temperature])).toEqual([
      [1, 0],
      [1, 0],
    ]);
    expect(problems.filter((text) => !text.includes("404"))).toEqual([]);
    await page.close();
  });

  test("a question of the run is asked again: its rewards by name, and windowed pixels only where wanted", async () => {
    const { page } = await open(browser, origin);
    await page.goto(`${origin}/runs/${ids["good"]}/rollouts/2/1`);
    await page.getByRole("link", { name: "ask a checkpoint" }).click();
    expect(await page.locator("textarea[name=question]").inputValue()).toBe("Which side? 1");
    expect(await page.getByLabel("reference answer").inputValue()).toBe("left");
    const windowed = page.getByLabel("windowed pixels go to the model");
    expect([await windowed.isChecked(), await windowed.isDisabled()]).toEqual([false, true]);
    await page.getByRole("button", { name: "Ask" }).click();
    await page.getByText("Not asked: mine (a module of one's own is not run from a page)").waitFor();
    expect(await page.locator(".card .rewards").textContent()).toMatch(/accuracy\+2 = 2 × 1judgenullreward2/);
    const first = asked.at(-1)!;
    expect([first.reference, first.example]).toEqual([{ answer: "left", answerType: "open" }, "e1"]); // its own row
    expect(first.images[0]).not.toHaveProperty("range");
    await page.goto(`${page.url()}&wl=1000,2000`);
    await windowed.check();
    await page.getByRole("button", { name: "Ask" }).click();
    await page.getByText("Not asked: mine").waitFor();
    expect(asked.at(-1)!.images[0]).toMatchObject({ range: [1500, 2500] });
    await page.getByLabel("reference answer").fill("right");
    await page.getByRole("button", { name: "Ask" }).click();
    await page.getByText("What needs facts of the image does not apply: no row of the run's training data").waitFor();
    expect(asked.at(-1)!.example).toBe(null);
    expect(await violations(page)).toEqual([]);
    await page.close();
  });

  test("on a phone a finger turns to the next group and back", async () => {
    const page = await browser.newPage({ hasTouch: true, viewport: { width: 360, height: 800 } });
    await page.goto(`${origin}/runs/${ids["good"]}/rollouts/2/0`);
    const swipe = async (from: number, to: number) => {
      await page.waitForSelector(".card");
      await page.evaluate(
        ([from, to]) => {
          const target = document.querySelector(".detail h2")!;
          const touch = (clientX: number) => new Touch({ identifier: 1, target, clientX, clientY: 200 });
          const o = { bubbles: true };
          target.dispatchEvent(new TouchEvent("touchstart", { ...o, touches: [touch(from!)] }));
          target.dispatchEvent(new TouchEvent("touchend", { ...o, changedTouches: [touch(to!)] }));
        },
        [from, to],
      );
    };
    await swipe(300, 100);
    await page.waitForURL(/rollouts\/2\/1/);
    await swipe(100, 300);
    await page.waitForURL(/rollouts\/2\/0/);
    await page.close();
  });

  test("flips stand by their margin; a study has its main effects and what gains cost", async () => {
    const { page } = await open(browser, origin);
    await page.goto(`${origin}/runs/${ids["good"]}/evaluation?show=fixed&sort=margin`);
    await page.getByText("by margin").waitFor();
    const baselines = page.getByRole("region", {
      name: "The run against its baselines on these questions, strict accuracy",
    });
    await baselines.getByText(/^the run is better, \+\d+\.\d \[\+\d+\.\d, \+\d+\.\d\]$/).waitFor();
    await page.getByText("Sensitivity, statements, numbers, sets and reasoning").first().click();
    const figures = page.getByRole("region", { name: "Sensitivity, statements, numbers, sets and reasoning" });
    expect(await figures.locator("tbody th").allInnerTexts()).toEqual([
      "yes: sensitivity",
      "statements: true of those decided",
    ]);
    const margins = (await page.locator(".cases").first().textContent())!.match(/margin \d\.\d\d/g)!;
    expect([margins.length, margins]).toEqual([8, [...margins].sort().reverse()]);
    await page.goto(`${origin}/studies/${ids["study"]}`);
    await page.getByText("Main effects of dimensions against sft").waitFor();
    await page.getByRole("img", { name: /Gain over sft.*grpo \+6\.0 at ×1\.00/ }).waitFor();
    await page.getByText("strict accuracy less that of sft, points; small marks are seeds, dashed: dapo").waitFor();
    await page.getByLabel("outcome").selectOption("length");
    await page.getByText("+12.0 [+7.0, +17.0]").waitFor();
    const lengths = page.locator(".forest", {
      hasText: "tokens of all the completions that there are less that of sft, tokens",
    });
    expect(await lengths.locator("svg").first().getAttribute("class")).toBe("open"); // longer is neither better nor worse
    await page.getByText("1 of 4 held. They were written into the study file before it ran.").waitFor();
    const rowsOf = (name: string) =>
      page.getByRole("region", { name, exact: true }).locator("tbody tr").allInnerTexts();
    const texts = async (name: string) => (await rowsOf(name)).map((row) => row.split("\t").map((cell) => cell.trim()));
    const of = (arm: string) => [`${arm} against sft ${arm} explores`];
    const tested = ["p = 0.012", "4.0 points"];
    expect(await texts("Predictions")).toEqual([
      [...of("grpo"), "held", "accuracy higher", "66.0, 60.0", "+6.0 [+3.0, +9.0]", ...tested],
      [...of("dapo"), "failed", "accuracy lower", "65.0, 60.0", "+5.0 [+2.0, +8.0]", ...tested],
      [...of("dapo"), "undecided", "accuracy same within 2.0 points", "61.0, 60.0", "+1.0 [−2.0, +4.0]", ...tested],
      [...of("gone"), "not run", "accuracy higher", "–", "–", "–", "4.0 points"],
    ]);
    expect(await texts("Retention")).toEqual([
      ["sft", "60.0, 40.0", "−20.0 [−23.0, −17.0]", "–", "30.0, 70.0", "+40.0 [+37.0, +43.0]", "–"],
      ["grpo", "60.0, 55.0", "−5.0 [−8.0, −2.0]", "+15.0 [+12.0, +18.0]", "–", "–", "–"],
    ]);
    expect(await texts("Without solved examples in the prompt")).toEqual([
      ["before training", "", "50.0", "40.0", "–"],
      ["grpo", "ct", "60.0 +20.0 %", "30.0 -25.0 %", "75.0"],
    ]);
    expect((await texts("Reasoning"))[1]).toEqual(["grpo", "30 (20–40)", "–", "52.5", "12.5", "–"]);
    expect((await texts("Accuracy, %, by statements in the reference chain"))[0]).toEqual(["sft", "50.0", "75.0"]);
    const missing = page.getByRole("region", { name: "Runs by arm and seed, 1 missing" });
    expect(await missing.getByText("✗ failed").count()).toBe(1);
    const [file] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "save as CSV" }).click(),
    ]);
    const rows = readFileSync(await file.path(), "utf8").split("\n");
    expect(rows).toContain('"length","tokens","grpo",12,7,17,0.01,0.02,400,100,13,14');
    const [report] = await Promise.all([
      page.waitForEvent("popup"),
      page.getByRole("link", { name: "report", exact: true }).click(),
    ]);
    await report.getByRole("heading", { name: "A report" }).waitFor();
    expect(await report.title()).toBe("arms"); // nothing in it runs
    await report.close();
    await page.close();
  });

  test("the heat table has three strata; its cells open their questions; c compares", async () => {
    const { page } = await open(browser, origin);
    await page.goto(`${origin}/runs/${ids["good"]}/evaluation?show=fixed`);
    await page.getByText("Strict accuracy by modality, organ, answer type").waitFor();
    await page
      .getByRole("region", { name: /^answer type closed, n 10/ })
      .getByRole("button", { name: /n 3$/ })
      .first()
      .click();
    await page.waitForURL(/cell=ct%7Cchest%7Cclosed/);
    await page.getByText(/^ct, chest, closed: [\d.]+ % \[[\d.]+, [\d.]+\], n 3 about 3 subjects$/).waitFor();
    await page.keyboard.press("c");
    await page.waitForURL(/compare\/.*%400%2B.*%4012/);
    await page.getByText("Right and wrong").waitFor();
    await page.goto(`${origin}/?by=study`);
    await page.locator(".heading", { hasText: "study 1 run" }).getByRole("link", { name: "study" }).waitFor();
    await page.getByRole("link", { name: "grpo-1", exact: true }).waitFor();
    expect(await violations(page)).toEqual([]);
    await page.close();
  });

  test("keys alone: groups, completions, image, and the list of keys", async () => {
    const { page } = await open(browser, origin);
    await page.goto(`${origin}/runs/${ids["good"]}/rollouts/2/0`);
    await page.waitForSelector(".card");
    await page.keyboard.press("j");
    await page.waitForURL(/rollouts\/2\/1/);
    await page.keyboard.press("]");
    await page.waitForURL(/rollouts\/3\/0/);
    await page.waitForSelector(".card");
    await page.keyboard.press("l");
    await page.waitForSelector(".card.chosen");
    await page.keyboard.press("z");
    await page.waitForSelector(".viewer canvas");
    await page.keyboard.press("Shift+ArrowUp");
    await page.waitForURL(/wl=/);
    await page.keyboard.press("?");
    await page.waitForSelector("dialog[open]");
    expect(await page.locator("dialog[open]").textContent()).toContain("next completion");
    await page.keyboard.press("Escape");
    await page.close();
  });

  test("the palette goes anywhere by words; a key can be given another, but not one that is taken", async () => {
    const { page } = await open(browser, origin);
    await page.goto(`${origin}/runs/${ids["good"]}/rollouts/2/0`);
    await page.waitForSelector(".card");
    await page.keyboard.press("Control+k");
    await page.getByRole("searchbox", { name: "words" }).and(page.locator(":focus")).waitFor();
    await page.keyboard.type("page data");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/data$/);
    await page.route("**/api/runs", (route) => void setTimeout(() => void route.continue(), 500));
    await page.keyboard.press("Control+k");
    await page.getByRole("searchbox", { name: "words" }).fill("run: good");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter"); // before the runs are read
    await page.waitForURL(/\/runs\/good-[0-9a-f]+$/);
    await page.goto(`${origin}/runs/${ids["good"]}/rollouts/2/0`);
    await page.waitForSelector(".card");
    await page.keyboard.press("?");
    await page.getByRole("button", { name: "next group: j" }).click();
    await page.keyboard.press("k");
    await page.getByText("k is taken: previous group").waitFor();
    await page.getByRole("button", { name: "next group: j" }).click();
    await page.keyboard.press("n");
    await page.getByRole("button", { name: "next group: n" }).waitFor();
    await page.keyboard.press("Escape");
    await page.reload();
    await page.waitForSelector(".card");
    await page.keyboard.press("j");
    await page.keyboard.press("n");
    await page.waitForURL(/rollouts\/2\/1/);
    await page.close();
  });

  test("images side by side are moved and windowed together while they are linked", async () => {
    const { page } = await open(browser, origin);
    await page.goto(`${origin}/runs/${ids["good"]}/rollouts/2/0?image=0&c=0`);
    await page.waitForFunction(() => document.querySelectorAll(".viewer canvas").length === 2); // the image, what the tool showed
    const names = () =>
      page.locator(".viewer canvas").evaluateAll((all) => all.map((one) => one.getAttribute("aria-label")!));
    expect((await names())[0]).toContain("regions: nodule left, look 1");
    const figures = async (what: RegExp) => (await names()).map((name) => what.exec(name)![1]);
    await page.keyboard.press("+");
    await page.waitForFunction(() =>
      /zoom 1.25/.test(document.querySelectorAll(".viewer canvas")[1]!.getAttribute("aria-label")!),
    );
    await page.keyboard.press("Shift+ArrowUp");
    await page.waitForFunction(() =>
      /level 138/.test(document.querySelectorAll(".viewer canvas")[1]!.getAttribute("aria-label")!),
    );
    expect([await figures(/zoom ([\d.]+)/), await figures(/level (\d+)/)]).toEqual([
      ["1.25", "1.25"],
      ["138", "138"],
    ]);
    await page.getByLabel("linked").uncheck();
    await page.keyboard.press("+");
    await page.waitForFunction(() =>
      /zoom 1.56/.test(document.querySelector(".viewer canvas")!.getAttribute("aria-label")!),
    );
    expect(await figures(/zoom ([\d.]+)/)).toEqual(["1.56", "1.25"]);
    await page.close();
  });

  test("charts are saved as drawings that stand alone; pairs of images that look the same are shown", async () => {
    const { page } = await open(browser, origin);
    await page.goto(`${origin}/runs/${ids["good"]}`);
    await page.waitForSelector(".u-wrap");
    const [file] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "save as SVG" }).nth(1).click(),
    ]);
    const svg = readFileSync(await file.path(), "utf8");
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    expect(svg).toContain("reward/judge/mean");
    expect(/points="([^"]+)"/.exec(svg)![1]!.split(" ")).toHaveLength(12);
    await page.goto(`${origin}/runs/${ids["good"]}/data`);
    await page.getByRole("button", { name: "Compare the images" }).click();
    await page.getByText("2 of 2 evaluated images").waitFor();
    await page.getByRole("button", { name: "Look at pair 1 closely" }).click();
    await page.waitForFunction(() => document.querySelectorAll(".viewer canvas").length === 2);
    expect(await violations(page)).toEqual([]);
    await page.goto(`${origin}/runs/${ids["good"]}/rollouts/2/0?tokens=1`);
    await page.getByRole("img", { name: "entropy of 3 tokens" }).first().waitFor();
    await page.close();
  });

  test("a whole session of annotation by keys; it survives a restart of the server", async () => {
    const { page, problems } = await open(browser, origin);
    await page.goto(`${origin}/runs/${ids["live"]}/annotate`);
    await page.waitForSelector("main input");
    await page.locator("main input").focus();
    await page.keyboard.type("dr-a");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".annotate");
    const total = Number(/of (\d+)/.exec(await page.locator(".facts").textContent())![1]);
    for (let i = 0; i < total; i++) {
      await page.waitForFunction((done) => document.querySelector(".facts")?.textContent?.startsWith(`${done} of`), i);
      if (i === 0) {
        await page.keyboard.press("s");
        await page.keyboard.press("Space");
        await page.keyboard.press("Space"); // false, then true
        await page.locator(".sentence.true_claim").waitFor();
        await page.getByLabel("about").fill("lung");
        await page.keyboard.press("Tab");
        await page.getByText("Mark a part of the text").click();
        const whole = page.getByLabel("select a part");
        await whole.evaluate((field) => (field as HTMLTextAreaElement).setSelectionRange(7, 15));
        await page.getByRole("button", { name: "mark the selection" }).click();
        await page.getByRole("button", { name: "take away" }).nth(1).waitFor();
      }
      await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
      await page.keyboard.press(i % 3 === 0 ? "n" : "y");
      await page.keyboard.press(i % 3 === 0 ? "w" : "q");
      await page.locator("fieldset button[aria-pressed=true]").nth(1).waitFor(); // Enter saves what is shown
      await page.keyboard.press("Enter");
    }
    await page.getByText("All are judged").waitFor();
    expect(await page.locator("main").textContent()).not.toMatch(/accuracy|advantage|step \d/i);
    const lines = readFileSync(join(root, "live/annotations/dr-a.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect([lines.length, lines[0].blind, lines[0].answer]).toEqual([total, true, "wrong"]);
    expect(lines[0].spans).toMatchObject([
      { label: "true_claim", concept: "lung" },
      { label: "false_claim", start: 7, end: 15 },
    ]);
    const port = Number(new URL(origin).port);
    await server.close();
    server = await serve(root, pages, { port });
    await page.reload();
    await page.getByText("All are judged").waitFor();
    await page.goto(`${origin}/runs/${ids["live"]}/rewards`);
    await page.getByText("people's yes").waitFor();
    expect(await page.locator("main").textContent()).toMatch(/accuracy/);
    expect(problems.filter((text) => !text.includes("404"))).toEqual([]);
    await page.close();
  });

  test("what is written appears by itself, a cut file too, and after a restart of the server", async () => {
    const { page } = await open(browser, origin);
    const file = join(root, "live/metrics.jsonl");
    const whole = readFileSync(file, "utf8");
    const append = (step: number) => appendFileSync(file, jsonl([{ step, stage: "grpo", "reward/mean": 0.1 * step }]));
    await page.goto(`${origin}/runs/${ids["live"]}`);
    await page.waitForSelector(".u-wrap");
    await page.waitForTimeout(500);
    append(5);
    await page.getByText("step 5").waitFor({ timeout: 5000 });
    await page.getByRole("button", { name: "Pause" }).click();
    append(6);
    await page.getByText("paused at step 5 – 1 new").waitFor({ timeout: 5000 });
    await page.getByRole("button", { name: "Go on" }).click();
    const port = Number(new URL(origin).port);
    await server.close();
    append(7);
    server = await serve(root, pages, { port });
    await page.getByText("step 7").waitFor({ timeout: 15_000 });
    truncateSync(file, 0);
    writeFileSync(file, whole);
    await page.getByText("step 4").waitFor({ timeout: 10_000 });
    await page.goto(`${origin}/runs/${ids["live"]}/rollouts`);
    await page.waitForSelector(".card");
    appendFileSync(join(root, "live/rollouts.jsonl"), jsonl([group(9, 0)]));
    await page.getByRole("button", { name: "Show them" }).click({ timeout: 5000 });
    await page.getByText("13 of 13 groups").waitFor();
    await page.close();
  });

  test("a run of 100,000 completions scrolls and filters", async () => {
    const folder = await writeUiRun(join(root, "large"), { steps: 1 });
    const lines = Array.from({ length: 25_000 }, (_, i) => JSON.stringify(group(1 + Math.floor(i / 25), i % 25)));
    writeFileSync(join(folder, "rollouts.jsonl"), `${lines.join("\n")}\n`);
    await new Promise((resolve) => setTimeout(resolve, 2100)); // folders are looked for every two seconds
    const { runs } = (await (await fetch(`${origin}/api/runs`)).json()) as { runs: RunRow[] };
    const id = runs.find(({ path }) => path === "large")!.id;
    const { page } = await open(browser, origin);
    await page.goto(`${origin}/runs/${id}/rollouts/1000/24`);
    await page.getByText("25000 of 25000 groups").waitFor();
    expect(await page.locator(".groups li").count()).toBeLessThan(100);
    expect(await page.locator(".groups a[aria-current]").textContent()).toContain("1000/24");
    await page.locator(".groups").evaluate((list) => list.scrollTo(0, 12_000 * 34));
    await page.getByText("481/0", { exact: true }).waitFor();
    await page.getByLabel("modality").selectOption("mr");
    await page.getByText("12000 of 25000 groups").waitFor();
    await page.close();
  });

  test("folders that are empty or broken have their pages", async () => {
    const { page, problems } = await open(browser, origin);
    for (const name of ["bare", "torn"]) {
      const folder = join(root, name);
      mkdirSync(folder);
      writeFileSync(join(folder, "recipe.yaml"), name === "bare" ? "" : "name: [");
      if (name === "torn")
        writeFileSync(
          join(folder, "rollouts.jsonl"),
          'nonsense\n{"id":"1/0","step":1,"completions":[null,{"text":5}]}\n{"id":',
        );
    }
    await new Promise((resolve) => setTimeout(resolve, 2100));
    const { runs } = (await (await fetch(`${origin}/api/runs`)).json()) as { runs: RunRow[] };
    for (const { id } of runs.filter(({ path }) => path === "bare" || path === "torn")) {
      for (const address of addresses(id).slice(0, -2)) {
        await page.goto(origin + address);
        await page.waitForSelector("h1");
        await page.waitForFunction(() => !document.body.textContent?.includes("loading …"));
      }
    }
    expect(problems.filter((text) => !text.includes("404"))).toEqual([]);
    await page.close();
  });
});
