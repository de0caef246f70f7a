/** The pages as tests open them: built once, served from this process, in a headless Chromium that reaches nothing else. */
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { build } from "vite";
import { remade } from "../../src/tools/remake.ts";
import type { UiOptions } from "../../src/ui/app.ts";
import { openLibrary } from "../../src/ui/library.ts";
import { readPages } from "../../src/ui/pages.ts";
import { startUi, type UiServer } from "../../src/ui/server.ts";
import { findChromium } from "../report/chromium.ts";

const root = join(import.meta.dirname, "../..");
const flags = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
  ...["--disable-sync", "--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
];

const command = findChromium();
/** Why there are no tests here; null where there are. */
export const noBrowser = command === null ? "no chromium is installed: apt-get install chromium" : null;

export async function launch(): Promise<Browser> {
  const path = ["/usr/bin", "/usr/local/bin", "/snap/bin"].map((folder) => join(folder, command!)).find(existsSync);
  return chromium.launch({ ...(path === undefined ? { channel: "chrome" } : { executablePath: path }), args: flags });
}

/** The built pages, in a folder of their own. */
export async function buildPages(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "viva-pages-"));
  const config = join(root, "ui/vite.config.ts");
  await build({ configFile: config, logLevel: "warn", build: { outDir: folder } });
  return folder;
}

export function serve(
  runs: string,
  pages: string,
  o: Partial<UiOptions> & { readonly port?: number } = {},
): Promise<UiServer> {
  return startUi({
    ...{
      library: openLibrary([realpathSync(runs)]),
      access: { origin: null, token: null },
      imageRoots: [],
      host: "127.0.0.1",
      port: 0,
    },
    ...{
      generated: () => async () => null,
      remade,
      modelView: async () => null,
      play: null,
      version: "test",
      pages: readPages(pages),
    },
    onFailure: (error) => {
      throw error;
    },
    ...o,
  });
}

/**
 * With VIVA_SLOW_BROWSER=6 the page's processor is six times slower and replies of the server come up to 0.3 s late, in
 * another order than they were asked for: a key or a click then meets the page in states that a quick machine passes through.
 */
async function slow(page: Page): Promise<void> {
  const rate = Number(process.env["VIVA_SLOW_BROWSER"] ?? 1);
  if (rate <= 1) return;
  const session = await page.context().newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate });
  await page.route("**/api/**", async (route) => {
    await new Promise((done) => setTimeout(done, 50 * rate * Math.random()));
    await route.continue().catch(() => {}); // the page may be closed by now
  });
}

/** What went wrong in a page, and what it asked for. */
export interface Watched {
  readonly page: Page;
  readonly problems: string[];
  readonly foreign: string[];
}

export async function open(
  browser: Browser,
  origin: string,
  o: { readonly width?: number; readonly dark?: boolean } = {},
): Promise<Watched> {
  const { width = 1280, dark = false } = o;
  const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme: dark ? "dark" : "light" });
  await slow(page);
  const problems: string[] = [];
  const foreign: string[] = [];
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on(
    "request",
    (request) => request.url().startsWith(origin) || /^(data|blob):/.test(request.url()) || foreign.push(request.url()),
  );
  return { page, problems, foreign };
}

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Violations of WCAG 2.2 AA, a line each. */
export async function violations(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    type Found = { violations: { id: string; nodes: { target: string[]; failureSummary: string }[] }[] };
    const { axe } = window as never as { axe: { run(o: object): Promise<Found> } };
    const found = await axe.run({ preload: false, runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] });
    return found.violations.flatMap(({ id, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id} ${target.join(" ")}: ${failureSummary.slice(0, 200)}`),
    );
  });
}

export function remove(...folders: readonly string[]): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
}
