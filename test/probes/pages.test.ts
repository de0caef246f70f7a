import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { probes } from "../../src/evaluate/probes/index.ts";
import { probesJsonSchema } from "../../src/evaluate/probes/results.ts";

const docs = fileURLToPath(new URL("../../docs/", import.meta.url));

it("every probe has a page and a row in the index, and there are no other pages", () => {
  const pages = readdirSync(`${docs}probes`).filter((file) => file !== "README.md");
  expect(pages.sort()).toEqual(
    Object.keys(probes)
      .map((name) => `${name}.md`)
      .sort(),
  );
  const index = readFileSync(`${docs}probes/README.md`, "utf8");
  for (const name of Object.keys(probes)) expect(index).toContain(`| [${name}](${name}.md) |`);
});

it("the stored schema is current", () => {
  expect(JSON.parse(readFileSync(`${docs}schemas/probe-results.json`, "utf8"))).toEqual(probesJsonSchema());
});
