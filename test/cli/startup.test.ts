/** Only the code of the command that is called is loaded: what `--version` and `--help` load is listed module by module. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildSync } from "esbuild";
import { expect, test } from "vitest";
import { root, temporaryFolder } from "./command-line.ts";

/** The modules that a call loads: packages by name, viva's own files below src/. */
function loadedBy(...args: readonly string[]): {
  readonly packages: readonly string[];
  readonly own: readonly string[];
} {
  const list = join(temporaryFolder(), "modules");
  const hooks = `import { appendFileSync } from "node:fs";
    export function load(url, context, next) {
      appendFileSync(${JSON.stringify(list)}, url + "\\n");
      return next(url, context);
    }`;
  const start = `import { register } from "node:module"; register(${JSON.stringify(dataUrl(hooks))});`;
  // From source, so that a module is a file.
  execFileSync(
    process.execPath,
    ["--import", "tsx", "--import", dataUrl(start), join(root, "src/cli/main.ts"), ...args],
    { cwd: root },
  );
  const urls = [...new Set(readFileSync(list, "utf8").split("\n"))];
  const source = pathToFileURL(join(root, "src")).href;
  const packages = urls.flatMap((url) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1] ?? []);
  return {
    packages: [...new Set(packages)].sort(),
    own: urls
      .flatMap((url) => (url.startsWith(source) ? url.slice(source.length + 1).replace(/\?.*$/, "") : []))
      .sort(),
  };
}

function dataUrl(module: string): string {
  return `data:text/javascript,${encodeURIComponent(module)}`;
}

test.each(["--version", "--help"])("%s loads no command", (flag) => {
  expect(loadedBy(flag)).toEqual({
    packages: ["commander"],
    own: [
      "cli/arguments.ts",
      "cli/commands.ts",
      "cli/main.ts",
      "cli/run.ts",
      "cli/version.ts",
      "cli/words.ts",
      "core/errors.ts",
      "core/module-place.ts",
      "core/system-errors.ts",
      "runs/environment.ts",
    ],
  });
});

/** Modules of these layers are what a command runs. */
const runs = /^(pipeline|session|train|evaluate|engine|models|data|rewards)\//;

test.each([
  ["train", []],
  ["check", []],
  ["compare", ["evaluate/conditions.ts"]], // the names that --allow takes
])("%s --help loads that command and no other, and nothing that it runs", (name, names) => {
  const { own, packages } = loadedBy(name, "--help");
  const commands = ["train", "check", "compare", "eval"].map((command) => `cli/${command}.ts`);
  expect(own.filter((file) => commands.includes(file))).toEqual([`cli/${name}.ts`]);
  expect(packages).toEqual(["commander"]);
  expect(own.filter((file) => runs.test(file))).toEqual(names);
});

/** Light files of those layers: names and words. */
const names = [
  ...["evaluate/conditions.ts", "evaluate/names.ts", "evaluate/probes/tool-options.ts", "session/choices.ts"],
  ...["models/average.ts", "models/combine.ts", "models/derivation.ts", "models/merge.ts"],
];

/** Two name data sets, whose table has all their code, and one has no help to show. */
const whole = ["cli/data.ts", "cli/init.ts", "cli/study-timing.ts"];

test("no command loads what it runs before it is called, and an engine's worker no processor", () => {
  const { metafile } = buildSync({
    entryPoints: ["cli/commands.ts", "engine/local/worker.ts"].map((file) => join(root, "src", file)),
    absWorkingDir: join(root, "src"),
    outdir: "nowhere",
    ...{ write: false, metafile: true, bundle: true, splitting: true, format: "esm" },
    ...{ packages: "external", platform: "node" },
  });
  const imports = (file: string, kind: string) => metafile.inputs[file]!.imports.filter((one) => one.kind === kind);
  const loaded = (file: string, seen = new Set<string>()): ReadonlySet<string> => {
    seen.add(file);
    for (const { path, external } of imports(file, "import-statement")) {
      if (external !== true && !seen.has(path)) loaded(path, seen);
      else if (external && !path.startsWith("node:")) seen.add(path);
    }
    return seen;
  };
  const commands = imports("cli/commands.ts", "dynamic-import").map(({ path }) => path);
  expect(commands.length).toBeGreaterThan(25);
  const early = (file: string) => [...loaded(file)].filter((path) => runs.test(path) && !names.includes(path));
  for (const file of commands.filter((command) => !whole.includes(command))) {
    expect([file, early(file)]).toEqual([file, []]);
  }
  const packages = (file: string) => [...loaded(file)].filter((path) => !path.endsWith(".ts"));
  for (const name of ["eval", "probe", "audit", "calibrate", "serve"]) {
    expect([name, packages(`cli/${name}.ts`)]).toEqual([name, ["commander"]]);
  }
  expect(packages("engine/local/worker.ts").sort()).toEqual(["onnxruntime-node", "zod"]);
});
