/**
 * The packed package as its users get it: installed in an empty folder with npm's defaults, from the registry alone. Takes a
 * minute or two: npm run test:package. Skipped where the npm registry cannot be reached.
 */
import { execFile, execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { linksOf } from "../docs/pages.ts";

const root = resolve(import.meta.dirname, "../..");
/** Without what npm tells the scripts that it runs: an installation must need no settings of this checkout. */
const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^npm_/i.test(key)));

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly output: string;
}

function run(folder: string, command: string, ...args: readonly string[]): Promise<Finished> {
  return new Promise((done) => {
    execFile(command, args, { cwd: folder, env, maxBuffer: 1e8 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      done({ code, stdout, output: stdout + stderr });
    });
  });
}

async function ok(folder: string, command: string, ...args: readonly string[]): Promise<string> {
  const { code, output } = await run(folder, command, ...args);
  expect(code, `${command} ${args.join(" ")}\n${output}`).toBe(0);
  return output;
}

function registryAnswers(): boolean {
  try {
    execFileSync("npm", ["view", "zod", "version"], { env, stdio: "ignore", timeout: 60_000 });
    return true;
  } catch {
    return false;
  }
}

const folder = mkdtempSync(join(tmpdir(), "viva-package-"));
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));

describe.skipIf(!registryAnswers())("the packed package", () => {
  let files: readonly string[] = [];

  beforeAll(async () => {
    const { stdout } = await run(root, "npm", "pack", "--ignore-scripts=false", "--json", "--pack-destination", folder);
    const [{ filename, files: listed }] = JSON.parse(stdout.slice(stdout.indexOf("[\n"))) as [
      { readonly filename: string; readonly files: readonly { readonly path: string }[] },
    ];
    files = listed.map(({ path }) => path);
    await ok(folder, "npm", "init", "--yes");
    await ok(folder, "npm", "pkg", "set", "type=module");
    await ok(folder, "npm", "install", `./${filename}`);
    cpSync(join(folder, "node_modules/viva-rl/examples"), join(folder, "examples"), { recursive: true });
  }, 600_000);

  test("holds what is needed and nothing else", () => {
    const places =
      /^(dist|assets|recipes|studies|examples|docs|integrations)\/|^([A-Z]+\.md|package\.json|LICENSE|bench\/RESULTS\.md|scripts\/preinstall\.mjs)$/;
    expect(files.filter((file) => !places.test(file))).toEqual([]);
    expect(files.filter((file) => /\.test\.|\.map$|(?<!\.d)\.ts$/.test(file) && !file.startsWith("examples/"))).toEqual(
      [],
    );
    for (const file of [
      "dist/cli/main.js",
      "dist/library/index.d.ts",
      "dist/ui/pages/index.html",
      "assets/viva-tiny-instruct/model.safetensors",
    ]) {
      expect(files).toContain(file);
    }
  });

  test("holds the pages that its README and its documentation link to", () => {
    const shown = files.filter((file) => /^(README|docs\/.*|recipes\/.*)\.md$/.test(file));
    expect(shown.length).toBeGreaterThan(100);
    const linked = shown.flatMap((page) =>
      linksOf(page).flatMap((link) => {
        const [path = ""] = link.split("#");
        return path.endsWith(".md") ? [join(dirname(page), path)] : [];
      }),
    );
    expect([...new Set(linked)].filter((page) => !files.includes(page))).toEqual([]);
  });

  test("needs no download but the registry's: CUDA's libraries are left alone", async () => {
    expect(await ok(folder, "npx", "viva", "--version")).toMatch(/^\d+\.\d+\.\d+/);
  });

  test("what is no entry point cannot be imported", async () => {
    const script = (path: string) =>
      `import(${JSON.stringify(path)}).catch((e) => { console.log(e.code); process.exit(3); })`;
    for (const path of ["viva-rl/dist/rewards/index.js", "viva-rl/src/index.ts", "viva-rl/compiler"]) {
      const { code, output } = await run(folder, "node", "-e", script(path));
      expect([code, output.trim()]).toEqual([3, "ERR_PACKAGE_PATH_NOT_EXPORTED"]);
    }
  });

  test("runs the demo", async () => {
    const small = ["data.train.limit=96", "data.eval.limit=24", "stages.0.steps=2"].flatMap((set) => ["--set", set]);
    expect(await ok(folder, "npx", "viva", "demo", "--run", "runs/demo", ...small)).toContain("report:");
    expect(existsSync(join(folder, "runs/demo/report.html"))).toBe(true);
  });

  describe("for programs", () => {
    beforeAll(() => ok(folder, "npm", "install", "--save-dev", "typescript", "tsx", "@types/node@20"), 300_000);

    test("every example is typed against the package", async () => {
      const compilerOptions = { module: "nodenext", target: "es2022", strict: true, noEmit: true, types: ["node"] };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["examples"] }));
      await ok(folder, "npx", "tsc", "--project", ".");
    });

    test("a GRPO loop on the four verbs, in at most 80 lines", async () => {
      expect(readFileSync(join(folder, "examples/grpo-loop.ts"), "utf8").split("\n").length).toBeLessThanOrEqual(81);
      const output = await ok(folder, "npx", "tsx", "examples/grpo-loop.ts", "2", "runs/loop");
      expect(output).toMatch(/step 2: reward \d/);
      expect(existsSync(join(folder, "runs/loop/model.safetensors"))).toBe(true);
    });

    test("scoring a file of answers", async () => {
      await ok(folder, "npx", "tsx", "examples/score-answers.ts", "--write", "answers.jsonl");
      expect(await ok(folder, "npx", "tsx", "examples/score-answers.ts", "answers.jsonl")).toMatch(/accuracy/);
    });

    test("a recipe of the user's own with a data set and a reward of the user's own", async () => {
      mkdirSync(join(folder, "mine"), { recursive: true });
      const recipe = [
        "name: mine",
        "model: { path: viva-tiny-instruct }",
        "data:",
        "  train: { name: module, path: ../examples/dataset.ts, split: train }",
        "  eval: { name: module, path: ../examples/dataset.ts, split: test }",
        "stages:",
        "  - kind: grpo",
        "    steps: 2",
        "    prompts_per_step: 4",
        "    max_completion_length: 32",
        "    rewards: { accuracy: 1.0, side: { module: ../examples/side-reward.ts, weight: 0.2 } }",
      ];
      writeFileSync(join(folder, "mine/recipe.yaml"), `${recipe.join("\n")}\n`);
      await ok(folder, "npx", "viva", "check", "mine/recipe.yaml");
      await ok(folder, "npx", "viva", "train", "mine/recipe.yaml", "--run", "runs/mine");
      const [line] = readFileSync(join(folder, "runs/mine/rollouts.jsonl"), "utf8").split("\n");
      expect(Object.keys(JSON.parse(line!).completions[0].rewards)).toEqual(["accuracy", "side"]);
      expect(await ok(folder, "npx", "tsx", "examples/use-a-run.ts", "runs/mine")).toMatch(/accuracy/);
    });
  });
});
