/** What shells complete with viva's scripts: bash always, zsh and fish where they are installed. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, test } from "vitest";
import { temporaryFolder, viva, vivaOk } from "./command-line.ts";

const folder = temporaryFolder();

function has(shell: string): boolean {
  try {
    execFileSync(shell, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** What is offered after the words typed so far, the last of them unfinished. */
const complete: Readonly<Record<string, (words: readonly string[]) => string>> = {
  bash: (words) => `
source ./script
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})
COMP_CWORD=${words.length - 1}
_viva
printf '%s\\n' "\${COMPREPLY[@]}"`,
  zsh: (words) => `
compdef() { }
_describe() { print -rl -- "\${(@)\${(@P)@[-1]}%%:*}" }
_files() { }
compadd() { shift; print -rl -- "$@" }
source ./script
words=(${words.map((word) => `'${word}'`).join(" ")})
CURRENT=${words.length}
_viva`,
  fish: (words) => `source ./script; complete -C '${words.join(" ")}'`,
};

describe.each(Object.keys(complete))("%s", (shell) => {
  if (!has(shell)) {
    test.skip(`skipped: there is no ${shell} on this machine`, () => {});
    return;
  }
  beforeAll(async () => {
    writeFileSync(join(folder, "script"), (await vivaOk(folder, "completion", shell)).stdout);
  });

  const offered = (...words: string[]) => {
    const printed = execFileSync(shell, ["-c", complete[shell]!(words)], { cwd: folder, encoding: "utf8" });
    return printed
      .split("\n")
      .map((line) => line.split("\t")[0]!)
      .filter((word) => word.startsWith(words.at(-1)!) && word !== "");
  };

  it("knows the commands, and those below them", () => {
    expect(offered("viva", "tr").sort()).toEqual(["track", "train"]);
    expect(offered("viva", "data", "").sort()).toEqual(expect.arrayContaining(["get", "list", "show"]));
  });

  it("knows a command's options and no other's, and the values of a choice", () => {
    const options = offered("viva", "train", "recipe.yaml", "--");
    expect(options).toContain("--resume");
    expect(options).not.toContain("--follow");
    expect(offered("viva", "track", "run", "--to", "").sort()).toEqual(["mlflow", "tensorboard", "trackio", "wandb"]);
    expect(offered("viva", "completion", "z")).toEqual(["zsh"]);
  });
});

describe("viva --version", () => {
  it("tells with --json on what it runs", async () => {
    const { stdout } = await vivaOk(folder, "--version", "--json");
    const plain = await vivaOk(folder, "--version");
    expect(JSON.parse(stdout)).toEqual({
      version: plain.stdout.trim(),
      node: process.version,
      onnxruntime: expect.stringMatching(/^\d+\.\d+\.\d+/),
      platform: `${process.platform} ${process.arch}`,
    });
  });
});

it("names the shells it knows", async () => {
  const { code, stderr } = await viva(folder, "completion", "tcsh");
  expect([code, stderr]).toEqual([2, expect.stringContaining("Allowed choices are bash, zsh, fish")]);
});
