/**
 * The site as it is built: its pages, its index of words, and what a browser without a network shows. Skipped where site/ is not
 * installed (npm run site installs and builds it).
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";
import { beforeAll, describe, expect, it, test } from "vitest";
import { root } from "../cli/command-line.ts";
import { findChromium } from "../report/chromium.ts";

const site = join(root, "site");
const dist = join(site, "dist");
const types: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

if (!existsSync(join(site, "node_modules"))) test.skip("skipped: site/ is not installed (npm run site)", () => {});
else
  describe("the site", () => {
    beforeAll(() => {
      execFileSync("npm", ["run", "build"], { cwd: site, stdio: "pipe" });
    }, 10 * 60_000);

    it("has every page of docs/README.md, and the functions of the library", () => {
      const index = readFileSync(join(root, "docs/README.md"), "utf8");
      const pages = [...index.matchAll(/^- \[[^\]]+\]\(([^)]+)\.md\)/gm)].map(([, page]) => join("docs", page!));
      expect(pages.length).toBeGreaterThan(20);
      for (const page of pages)
        expect(existsSync(join(dist, `${page.replace(/README$/, "index")}.html`)), page).toBe(true);
      expect(readFileSync(join(dist, "api/engine.html"), "utf8")).toContain("openEngine");
    });

    it("brings its scripts, styles, fonts and words itself", () => {
      const html = readFileSync(join(dist, "docs/trackers.html"), "utf8");
      const loaded = [...html.matchAll(/(?:src|href)="(https?:[^"]+\.(?:js|css|woff2?))"/g)];
      expect(loaded).toEqual([]);
      const chunks = readdirSync(join(dist, "assets/chunks"));
      expect(chunks).toContainEqual(expect.stringContaining("@localSearchIndex"));
    });

    it.skipIf(findChromium() === null)("is searched in a browser that reaches nothing else", async () => {
      const server = createServer((request, response) => {
        const file = join(dist, decodeURI(request.url!.split("?")[0]!));
        if (!existsSync(file) || statSync(file).isDirectory()) return response.writeHead(404).end();
        response.setHeader("content-type", types[extname(file)] ?? "application/octet-stream");
        return response.end(readFileSync(file));
      }).listen(0, "127.0.0.1");
      await new Promise((ready) => server.once("listening", ready));
      const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const executablePath = execFileSync("which", [findChromium()!], { encoding: "utf8" }).trim();
      const args = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"];
      const browser = await chromium.launch({ executablePath, args });
      try {
        const page = await browser.newPage();
        const foreign: string[] = [];
        page.on("request", (request) => request.url().startsWith(origin) || foreign.push(request.url()));
        await page.goto(`${origin}/docs/own-data.html`);
        await page.locator(".DocSearch-Button").click();
        await page.locator("#localsearch-input").fill("MLFLOW_TRACKING_TOKEN");
        const found = page.locator("#localsearch-list a").first();
        await found.waitFor();
        expect(await found.getAttribute("href")).toContain("/docs/trackers");
        await found.click();
        await page.waitForURL("**/docs/trackers**");
        expect(await page.locator("h1").textContent()).toContain("Trackers");
        expect(foreign).toEqual([]);
      } finally {
        await browser.close();
        server.close();
      }
    });
  });
