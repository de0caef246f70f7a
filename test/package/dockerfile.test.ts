/**
 * The Dockerfile's commands, stage by stage, with folders of their own in place of the image's: they need no Docker. Takes a
 * minute or two: npm run test:package. Skipped where the npm registry cannot be reached.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "viva-image-"));
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^npm_/i.test(key)));

function registryAnswers(): boolean {
  try {
    execFileSync("npm", ["view", "zod", "version"], { env, stdio: "ignore", timeout: 60_000 });
    return true;
  } catch {
    return false;
  }
}

/** Absolute paths of the image as paths below the test's folder. */
const inFolder = (command: string) => command.replace(/(?<=^|[\s=])\/(tmp|build|opt\/viva)\b/g, `${folder}/$1`);

const instructions = readFileSync(join(root, "Dockerfile"), "utf8")
  .split("\n")
  .filter((line) => line.trim() !== "" && !line.startsWith("#"))
  .map((line) => [line.split(" ")[0]!, line.slice(line.indexOf(" ") + 1)] as const);

/** What git knows of the checkout, which is what a build is given. */
function copyCheckout(to: string): void {
  const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: root, encoding: "utf8" });
  for (const file of listed.split("\n").filter((name) => name !== "" && existsSync(join(root, name)))) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    cpSync(join(root, file), join(to, file));
  }
}

describe.skipIf(!registryAnswers())("the Dockerfile", () => {
  beforeAll(() => {
    mkdirSync(join(folder, "tmp"));
    let at = folder;
    for (const [instruction, rest] of instructions) {
      if (instruction === "WORKDIR" && rest !== "/work") {
        at = inFolder(rest);
        mkdirSync(at, { recursive: true });
      }
      if (instruction === "COPY" && rest === ". .") copyCheckout(at);
      if (instruction === "RUN") execFileSync("sh", ["-c", inFolder(rest)], { cwd: at, env, stdio: "pipe" });
    }
  });

  test("makes an image whose command runs without the network", () => {
    const bin = join(folder, "opt/viva/node_modules/.bin");
    const path = instructions.find(([instruction]) => instruction === "ENV")![1];
    expect(inFolder(path)).toContain(`PATH=${bin}`);
    const run = (...args: string[]) => {
      // A network namespace of its own has no way out, where one can be made.
      const offline = canUnshare() ? ["unshare", "--net", join(bin, "viva")] : [join(bin, "viva")];
      return execFileSync(offline[0]!, [...offline.slice(1), ...args], { cwd: folder, env, encoding: "utf8" });
    };
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect(JSON.parse(run("--version", "--json"))).toMatchObject({ version, node: process.version });
    const recipe = join(folder, "opt/viva/node_modules/viva-rl/recipes/demo-grpo.yaml");
    expect(run("check", recipe)).toContain("verdict");
  });

  test("leaves nothing of the build behind", () => {
    expect(existsSync(join(folder, "tmp/npm"))).toBe(false);
    expect(existsSync(join(folder, "opt/viva/node_modules/typescript"))).toBe(false);
  });
});

function canUnshare(): boolean {
  try {
    execFileSync("unshare", ["--net", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
