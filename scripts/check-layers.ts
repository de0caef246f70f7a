/** Fails when a source file imports from a layer that its own layer may not know (the table of docs/architecture.md). */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..", "src");

const allowed: Readonly<Record<string, readonly string[]>> = {
  core: [],
  compiler: ["core"],
  io: ["core"],
  runs: ["core"],
  runtime: ["core", "compiler"],
  nn: ["core", "compiler"],
  models: ["core", "compiler", "nn", "io"],
  algorithms: ["core", "compiler"],
  answers: ["core"],
  rewards: ["core", "answers"],
  data: ["core", "io"],
  engine: ["core", "compiler", "io", "runtime", "nn", "models", "algorithms"],
  train: ["core", "runs", "algorithms", "answers", "rewards", "data", "engine"],
  evaluate: ["core", "runs", "data", "answers", "rewards", "engine"],
  recipes: ["core", "io", "runs", "models", "algorithms", "answers", "rewards", "data", "engine", "train", "evaluate"],
  report: ["core", "runs"],
  server: ["core", "io", "engine"],
  cli: ["recipes", "train", "evaluate", "report", "server", "data", "runs", "core"],
};

const violations: string[] = [];
for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith(".ts") || entry.name.endsWith(".test.ts")) continue;
  const file = join(entry.parentPath, entry.name);
  const layer = relative(root, file).split(sep)[0]!;
  const known = allowed[layer];
  if (known === undefined) {
    violations.push(`${relative(root, file)}: layer "${layer}" is not in the table`);
    continue;
  }
  for (const [, target] of readFileSync(file, "utf8").matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)) {
    const imported = relative(root, resolve(dirname(file), target!)).split(sep)[0]!;
    if (imported !== layer && !known.includes(imported)) {
      violations.push(`${relative(root, file)}: ${layer} may not import from ${imported} (${target})`);
    }
  }
}
if (violations.length > 0) {
  console.error(violations.join("\n"));
  process.exit(1);
}
console.log(`layers: ${Object.keys(allowed).length} layers, no violation`);
