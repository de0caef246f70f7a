/** Every key of recipes, studies and federations stands on a page of docs/. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { federationJsonSchema } from "../../src/federate/schema.ts";
import { recipeJsonSchema, type Schema } from "../../src/recipes/json-schema.ts";
import { studyJsonSchema } from "../../src/study/schema.ts";
import { pages, pathOf } from "./pages.ts";

/** Names of keys, with where they were found first. */
function keysIn(schema: unknown, at: string, found: Map<string, string>): Map<string, string> {
  if (typeof schema !== "object" || schema === null) return found;
  const { properties, items, additionalProperties, anyOf, oneOf, allOf } = schema as Schema;
  for (const [name, inner] of Object.entries(properties ?? {})) {
    if (!found.has(name)) found.set(name, `${at}.${name}`);
    keysIn(inner, `${at}.${name}`, found);
  }
  for (const inner of [anyOf, oneOf, allOf].flatMap((list) => (list ?? []) as readonly unknown[]))
    keysIn(inner, at, found);
  for (const inner of [items, additionalProperties]) keysIn(inner, at, found);
  return found;
}

const docs = pages.filter((page) => page.startsWith("docs/")).map((page) => readFileSync(pathOf(page), "utf8"));
const named = new Set(docs.join("\n").match(/[a-z]\w*/gi));

it.each([
  ["recipes", recipeJsonSchema(), 150],
  ["studies", studyJsonSchema(), 20],
  ["federations", federationJsonSchema(), 5],
] as const)("of %s", (_, schema, least) => {
  const keys = keysIn(schema, "", new Map());
  expect(keys.size).toBeGreaterThan(least);
  expect([...keys].filter(([name]) => !named.has(name)).map(([, where]) => where)).toEqual([]);
});
