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
import { writeUiRun } from "../ui/runs.ts";
import { buildPages, launch, noBrowser, open, remove, violations } from "./pages.ts";

describe.skipIf(noBrowser !== null)("a bundle", () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "viva-bundle-")));
  const bundle = join(root, "out");
  let browser: Browser;
  let pages: string;

  beforeAll(async () => {
    await writeUiRun(join(root, "runs/one"));
    await writeUiRun(join(root, "runs/two"), { text: "<script>window.hacked=1</script>" });
    [pages, browser] = await Promise.all([buildPages(), launch()]);
    const library = openLibrary([join(root, "runs/one"), join(root, "runs/two")]);
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
    await page.getByRole("link", { name: "Rollouts" }).click();
    await page.waitForSelector(".card");
    await page.keyboard.press("j");
    await page.waitForURL(/rollouts\/1\/1/);
    await page.getByRole("heading", { name: "Which side? 1" }).waitFor();
    await page.waitForSelector(".thumb img");
    await openImage(page);
    expect(await page.locator(".thumb img").count()).toBe(1);
    await page.getByRole("link", { name: "Evaluation" }).click();
    await page.getByText("95 % intervals over subjects").first().waitFor();
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

test.skipIf(!isBuilt)("viva ui says where it listens, answers there, and ends at SIGTERM", async () => {
  const root = mkdtempSync(join(tmpdir(), "viva-ui-command-"));
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
  const { url } = JSON.parse(told) as { url: string };
  expect((await fetch(`${url}api/runs`)).status).toBe(200);
  expect(await (await fetch(url)).text()).toContain("<title>viva</title>");
  child.kill("SIGTERM");
  expect(await ended).toBe(143);
  remove(root);
});
