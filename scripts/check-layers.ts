/**
 * Fails if a source file imports from a layer that its own must not import from (the table of docs/architecture.md), or
 * if imports form a circle, including type imports. `--table` prints files and lines per layer.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type DependencyTree, parseCircular, parseDependencyTree } from "dpdm";

const src = resolve(import.meta.dirname, "../src");

const allowed: Readonly<Record<string, readonly string[]>> = {
  core: [],
  compiler: ["core"],
  io: ["core"],
  runs: ["core", "io"],
  track: ["core", "io", "runs"],
  runtime: ["core", "compiler"],
  nn: ["core", "compiler"],
  models: ["core", "compiler", "nn", "io"],
  algorithms: ["core", "compiler"],
  answers: ["core"],
  rewards: ["core", "answers"],
  data: ["core", "io"],
  tinker: ["core"],
  engine: ["core", "compiler", "io", "runtime", "nn", "models", "algorithms", "tinker"],
  tools: ["core", "io", "answers", "engine"],
  train: ["core", "runs", "algorithms", "answers", "rewards", "data", "engine", "tools"],
  evaluate: ["core", "io", "runs", "data", "answers", "rewards", "engine", "tools"],
  control: ["core", "io", "answers", "engine"],
  recipes: ["core", "algorithms", "answers", "rewards", "data", "engine", "tools", "track", "train"],
  session: [
    ...["core", "io", "runs", "models", "answers", "rewards", "data", "engine", "tools", "train", "evaluate"],
    ...["control", "recipes"],
  ],
  cluster: ["core", "runs"],
  pipeline: [
    ...["core", "runs", "algorithms", "answers", "rewards", "engine", "train", "evaluate", "recipes", "session"],
    "track",
  ],
  study: ["core", "runs", "evaluate", "recipes", "session", "pipeline"],
  export: ["core", "io", "runs", "models", "data", "evaluate", "recipes", "session"],
  federate: [...["core", "io", "runs", "models", "data", "evaluate", "recipes", "session", "study", "export"]],
  diagnostics: ["core", "io", "runs", "models", "algorithms", "answers", "engine", "recipes", "session"],
  report: ["core", "runs"],
  server: ["core", "io", "models", "algorithms", "answers", "tinker", "engine", "tools"],
  ui: ["core", "io", "runs", "evaluate", "server"],
  library: [
    ...["core", "models", "algorithms", "answers", "rewards", "data", "engine", "evaluate"],
    ...["runs", "recipes", "session", "pipeline", "study", "report"],
  ],
  cli: [
    ...["core", "runs", "data", "evaluate", "recipes", "session", "pipeline", "study", "export", "diagnostics"],
    ...["cluster", "federate", "report", "server", "track", "ui"],
  ],
};

/** The gradient of a broadcast is a sum and that of a sum a broadcast, so these files are mutually recursive. */
const circular = /^compiler\/ops\/(elementwise|broadcast|reduce|shape)\.ts$/;

const isSource = (file: string) => /^(?!\.\.).*(?<!\.test)\.ts$/.test(file);
const tree = await parseDependencyTree("**/*.ts", { context: src, cwd: src, transform: false, tsconfig: undefined });
const sources: DependencyTree = Object.fromEntries(Object.entries(tree).filter(([file]) => isSource(file)));

const violations: string[] = [];
for (const [file, imports] of Object.entries(sources)) {
  const layer = file.split("/")[0]!;
  const known = allowed[layer];
  if (known === undefined) violations.push(`${file}: layer "${layer}" is not in the table`);
  for (const { id, request } of imports ?? []) {
    if (id === null || id.includes("node_modules") || !request.startsWith(".")) continue;
    const imported = id.split("/")[0]!;
    if (imported !== layer && known !== undefined && !known.includes(imported)) {
      violations.push(`${file}: ${layer} may not import from ${imported} (${request})`);
    }
  }
}
const circles = parseCircular(sources);
for (const circle of circles) {
  if (!circle.every((file) => circular.test(file))) violations.push(`imports in a circle: ${circle.join(" -> ")}`);
}
if (process.argv.includes("--table")) printTable();
if (violations.length > 0) {
  console.error(violations.join("\n"));
  process.exit(1);
}
const layers = Object.keys(allowed).length;
console.log(
  `layers: ${layers} layers, ${Object.keys(sources).length} files, no violation; no circle outside compiler/ops`,
);

function printTable(): void {
  for (const layer of Object.keys(allowed)) {
    const files = Object.keys(sources).filter((file) => file.startsWith(`${layer}/`));
    const folders = new Set(files.map((file) => file.split("/").slice(0, -1).join("/")));
    const lines = files.map((file) => readFileSync(join(src, file), "utf8").split("\n").length - 1);
    const total = lines.reduce((a, b) => a + b, 0);
    console.log(`${layer}\t${files.length} files\t${folders.size} folders\t${total} lines`);
  }
}
