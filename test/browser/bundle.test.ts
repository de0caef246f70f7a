/** A static bundle, from a disk and from a plain web server; and the commands themselves. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, realpathSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createUiApp } from "../../src/ui/app.ts";
import { writeBundle } from "../../src/ui/bundle.ts";
import { openLibrary } from "../../src/ui/library.ts";
import { readPages } from "../../src/ui/pages.ts";
import { noteRun } from "../../src/ui/run-notes.ts";
import { writeUiRun } from "../ui/runs.ts";
import { buildPages, launch, noBrowser, open, remove, violations } from "./pages.ts";
import { writeStudy } from "./study.ts";

describe.skipIf(noBrowser !== null)("a bundle", () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "viva-bundle-")));
  const bundle = join(root, "out");
  let browser: Browser;
  let pages: string;

  beforeAll(async () => {
    await writeUiRun(join(root, "runs/one"));
    noteRun(join(root, "runs/one"), { about: "tag baseline", note: "", by: "dr-a" });
    await writeUiRun(join(root, "runs/two"), { text: "<script>window.hacked=1</script>" });
    [pages, browser] = await Promise.all([buildPages(), launch()]);
    writeStudy(join(root, "study"));
    const library = openLibrary([join(root, "runs/one"), join(root, "runs/two"), join(root, "study")]);
    const app = createUiApp({
      ...{ library, access: { origin: null, token: null }, imageRoots: [], version: "test", play: null },
      ...{ generated: () => async () => null, remade: async () => null, modelView: async () => null },
      onFailure: (error) => {
        throw error;
      },
    });
    await writeBundle(bundle, { app, library, pages: readPages(pages), images: true });
  });
  afterAll(async () => {
    await browser.close();
    remove(root, pages);
  });

  /** On a busy machine a key can come before the page that has just been reached listens: it is pressed again then. */
  const openImage = async (page: Page, attempts = 5): Promise<void> => {
    await page.keyboard.press("z");
    const shown = page.waitForSelector(".viewer canvas", { timeout: 5000 });
    if (attempts === 1) await shown;
    else await shown.catch(() => openImage(page, attempts - 1));
  };

  const look = async (address: string) => {
    const { page, problems } = await open(browser, address);
    await page.goto(address);
    await page.getByRole("link", { name: "one" }).click();
    await page.waitForSelector(".u-wrap");
    await page.getByText(/^baseline dr-a, [-\d]+ [:\d]+ UTC$/).waitFor();
    await page.getByRole("link", { name: "Rollouts" }).click();
    await page.waitForSelector(".card");
    await page.keyboard.press("j");
    await page.waitForURL(/rollouts\/1\/1/);
    await page.getByRole("heading", { name: "Which side? 1" }).waitFor();
    await page.waitForSelector(".thumb img");
    await openImage(page);
    expect(await page.locator(".thumb img").count()).toBe(1);
    const all = await page.locator(".groups li").count();
    await page.getByLabel("text in question, answer or completion").fill("WHICH SIDE? 1");
    await page.waitForFunction((most) => document.querySelectorAll(".groups li").length < most, all);
    expect(await page.locator(".groups li").count()).toBeGreaterThan(0);
    await page.getByRole("link", { name: "Evaluation" }).click();
    await page.getByText("95 % intervals over subjects").first().waitFor();
    await page.goto(`${address.replace(/#.*/, "")}#/`);
    await page.getByRole("link", { name: "study", exact: true }).first().click();
    await page.getByText("strict accuracy less that of sft").waitFor();
    await page.goto(`${address.replace(/#.*/, "")}#/`);
    await page.getByLabel("mark one").check();
    await page.getByLabel("mark two").check();
    await page.getByRole("link", { name: "Compare 2 runs" }).click();
    await page.getByText("Right and wrong").waitFor();
    expect(await violations(page)).toEqual([]);
    expect(await page.evaluate(() => (window as never as { hacked?: number }).hacked)).toBe(undefined);
    expect(problems.filter((text) => !/ERR_FILE_NOT_FOUND|404/.test(text))).toEqual([]);
    await page.close();
  };

  test("opens from a disk", () => look(`file://${bundle}/index.html`));

  test("opens from a plain web server", async () => {
    const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
    const server = createServer((request, response) => {
      const { pathname } = new URL(request.url ?? "/", "http://x");
      try {
        const content = readFileSync(join(bundle, pathname === "/" ? "index.html" : pathname));
        response.writeHead(200, { "content-type": types[extname(pathname)] ?? "text/html" }).end(content);
      } catch {
        response.writeHead(404).end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await look(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    server.close();
  });
});

/** npm run build makes them; the command serves no others. */
const isBuilt = existsSync(join(import.meta.dirname, "../../dist/ui/pages/index.html"));

/** The command over a folder; the address it says. */
async function startCommand(root: string) {
  const main = join(import.meta.dirname, "../../src/cli/main.ts");
  const child = spawn(process.execPath, ["--import", "tsx", main, "ui", root, "--port", "0", "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  let told = "";
  await new Promise<void>((resolve) => {
    child.stdout.on("data", (text) => {
      told += text;
      if (told.includes("\n")) resolve();
    });
    void ended.then(() => resolve());
  });
  return { child, ended, url: (JSON.parse(told) as { url: string }).url };
}

test.skipIf(!isBuilt)("viva ui keeps the marks of two people through a kill -9, and ends at SIGTERM", async () => {
  const root = mkdtempSync(join(tmpdir(), "viva-ui-command-"));
  await writeUiRun(join(root, "one"));
  const first = await startCommand(root);
  expect(await (await fetch(first.url)).text()).toContain("<title>viva</title>");
  const runs = `${first.url}api/runs`;
  const { id } = ((await (await fetch(runs)).json()) as { runs: { id: string }[] }).runs[0]!;
  type Item = { readonly target: string; readonly text_sha256: string; readonly done: boolean };
  const queueOf = async (url: string, by: string) =>
    ((await (await fetch(`${url}api/runs/${id}/queue/${by}`)).json()) as { items: Item[] }).items;
  const kept: Record<string, string[]> = { "dr-a": [], "dr-b": [] };
  const judge = async (by: string) => {
    const mark = {
      answer: "right",
      rationale: null,
      unsafe: false,
      spans: [],
      better_than: null,
      note: "",
      seconds: 1,
    };
    for (const { target, text_sha256 } of await queueOf(first.url, by)) {
      const body = JSON.stringify({ by, target, text_sha256, withdrawn: false, mark });
      const headers = { "content-type": "application/json", "x-viva": "1" };
      const answer = await fetch(`${runs}/${id}/annotations`, { method: "POST", headers, body });
      if (answer.ok) kept[by]!.push(target);
      if (kept["dr-a"]!.length + kept["dr-b"]!.length === 9) first.child.kill("SIGKILL"); // while others are on their way
    }
  };
  await Promise.allSettled([judge("dr-a"), judge("dr-b")]);
  await first.ended;
  const second = await startCommand(root);
  for (const [by, targets] of Object.entries(kept)) {
    const done = (await queueOf(second.url, by)).filter((item) => item.done).map(({ target }) => target);
    expect(targets.length).toBeGreaterThan(2);
    expect(done).toEqual(expect.arrayContaining(targets));
  }
  second.child.kill("SIGTERM");
  expect(await second.ended).toBe(143);
  remove(root);
});
