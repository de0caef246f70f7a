import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { anchorsOf, linksOf, pages, paragraphsOf, pathOf } from "./pages.ts";

/** Longer paragraphs are lists or tables that have not been found yet. */
const MOST_WORDS = 150;

describe.each(pages)("%s", (page) => {
  it("links to files and headings that exist", () => {
    const broken = linksOf(page).filter((link) => {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : join(dirname(page), decodeURI(path));
      if (!existsSync(pathOf(target))) return true;
      return anchor !== undefined && target.endsWith(".md") && !anchorsOf(target).has(anchor);
    });
    expect(broken).toEqual([]);
  });

  it("has no paragraph that is too long to read", () => {
    const long = paragraphsOf(page).filter((paragraph) => paragraph.split(/\s+/).length > MOST_WORDS);
    expect(long.map((paragraph) => `${paragraph.split(/\s+/).length} words: ${paragraph.slice(0, 60)}…`)).toEqual([]);
  });
});

it("reads anchors as GitHub makes them", () => {
  expect(anchorsOf("docs/evaluation.md")).toContain("finding-the-answer-viva");
  expect(anchorsOf("docs/alarms.md")).toContain("length_explosion-length_collapse");
});

it("finds the pages", () => {
  expect(pages).toContain("README.md");
  expect(pages).toContain(join("docs", "decisions", "README.md"));
});

it("the site shows every page that its pages link to", () => {
  const [, list = ""] = /^const folders = \[(.*)\];$/m.exec(readFileSync(pathOf("site/gather.mjs"), "utf8")) ?? [];
  const folders = new Set([...list.matchAll(/"(\w+)"/g)].map(([, name]) => name));
  const isShown = (page: string) => !page.includes("/") || folders.has(page.split("/")[0]);
  const missing = pages.filter(isShown).flatMap((page) =>
    linksOf(page)
      .map((link) => join(dirname(page), decodeURI(link.split("#")[0]!)))
      .filter((target) => target.endsWith(".md") && !isShown(target)),
  );
  expect(missing).toEqual([]);
});
