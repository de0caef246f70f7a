/** Places that cannot be written: a full disk, a read-only one, files and folders in each other's place. One sentence, no lock. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jsonLines, temporaryFolder, viva, vivaOk } from "./command-line.ts";
import { tinyRecipe, writeFilms, writeRecipe, writeTinyModel } from "./tiny-run.ts";

const folder = temporaryFolder();
const disk = join(folder, "disk");
const canMount = mounts("size=64k");

beforeAll(async () => {
  const [model, data] = [writeTinyModel(join(folder, "model")), await writeFilms(join(folder, "films"))];
  const recipe = tinyRecipe({ model, data });
  writeRecipe(join(folder, "tiny.yaml"), { ...recipe, evaluate: { every: 3, at_start: false } });
  writeFileSync(join(folder, "a-file"), "");
  await vivaOk(folder, "train", "tiny.yaml", "--run", "run", "--quiet");
});

/** Puts a small disk in memory at `disk`, in place of one that is there; whether this machine lets us. */
function mounts(options: string): boolean {
  try {
    unmount();
    mkdirSync(disk, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "none", disk], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function unmount(): void {
  try {
    execFileSync("umount", [disk], { stdio: "ignore" });
  } catch {} // nothing is there
}
afterAll(unmount);

/** One sentence that says what cannot be written and why. */
async function expectSentence(reason: RegExp, code: number, ...args: readonly string[]): Promise<void> {
  const ended = await viva(folder, ...args);
  const said = ended.stderr.split("\n").filter((line) => line !== "" && !line.startsWith("warning: "));
  expect(said, ended.stderr).toEqual([expect.stringMatching(/^error: .+/)]);
  expect(said[0]).toMatch(reason);
  expect(ended.stderr).not.toMatch(/unexpected|E[A-Z]{4,}:/);
  expect(ended.code).toBe(code);
}

const locks = (run: string) => readdirSync(run).filter((name) => name.startsWith(".lock"));

describe.skipIf(!canMount)("a disk", () => {
  it.each([
    ["4k", "before the run has its files"],
    ["24k", "in an evaluation"],
    ["1500k", "in the first checkpoint"],
    ["4500k", "in a later checkpoint"],
  ])(
    "of %s, full %s, ends the run with a sentence and no lock, and the run goes on when there is room",
    async (size) => {
      expect(mounts(`size=${size}`)).toBe(true);
      await expectSentence(/the disk is full$/, 1, "train", "tiny.yaml", "--run", "disk/run", "--quiet");
      expect(locks(join(disk, "run"))).toEqual([]);
      execFileSync("mount", ["-o", "remount,size=64m", disk]);
      const again = existsSync(join(disk, "run/recipe.yaml")) ? ["--resume"] : ["tiny.yaml"];
      await vivaOk(folder, "train", ...again, "--run", "disk/run", "--quiet");
      for (const stream of ["rollouts", "evals", "events"]) {
        expect(jsonLines(disk, "run", `${stream}.jsonl`)).toEqual(jsonLines(folder, "run", `${stream}.jsonl`));
      }
    },
  );

  it("that is read-only is told as such", async () => {
    expect(mounts("size=64m")).toBe(true);
    execFileSync("cp", ["-r", join(folder, "run"), join(disk, "old")]);
    execFileSync("mount", ["-o", "remount,ro", disk]);
    const reason = /^error: cannot write \S+: the disk is read-only$/;
    await expectSentence(reason, 2, "train", "tiny.yaml", "--run", "disk/new", "--quiet");
    await expectSentence(reason, 2, "train", "--run", "disk/old", "--resume", "--quiet");
    await expectSentence(reason, 2, "report", "disk/old");
    await expectSentence(reason, 2, "compare", "run@3", "run@8", "--out", "disk/c.json");
    await expectSentence(reason, 2, "export", "run", "--out", "disk/exported");
    const [rows, out] = [join(folder, "films/test.jsonl"), "disk/out.jsonl"];
    await expectSentence(reason, 2, "generate", "run", "--rows", rows, "--out", out, "--max-completion-length", "2");
    await expectSentence(reason, 2, "eval", "run", "--data", "jsonl", "--path", "films", "--out", out);
  });
});

describe("a file where a folder should be, and the other way round", () => {
  it.each([
    ["a run below a file", ["train", "tiny.yaml", "--run", "a-file/run"], /a part of its path is a file/],
    [
      "a run that is a file",
      ["train", "tiny.yaml", "--run", "a-file"],
      /there is a file where the run folder should be/,
    ],
    ["a recipe that is a folder", ["train", "films"], /films: cannot be read: it is a folder/],
    ["a study that is a folder", ["study", "films"], /films: cannot be read: it is a folder/],
    ["rows that are a folder", ["generate", "run", "--rows", "films", "--out", "o.jsonl"], /films: it is a folder/],
    ["an evaluation that is a folder", ["compare", "films", "run"], /films is a folder without a recipe\.yaml/],
    ["an export below a file", ["export", "run", "--out", "a-file/x"], /a part of its path is a file/],
    ["a report that is a folder", ["report", "run", "--out", "films"], /films: a folder is there/],
    [
      "predictions that are a folder",
      ["eval", "--data", "jsonl", "--path", "films", "--predictions", "films", "--out", "o.jsonl"],
      /films: it is a folder/,
    ],
  ])("%s", async (_, args, sentence) => {
    await expectSentence(sentence, 2, ...args);
  });

  it("a report whose place is taken does not make a good run fail", async () => {
    await vivaOk(folder, "train", "tiny.yaml", "--run", "taken", "--no-report", "--quiet");
    mkdirSync(join(folder, "taken/report.html"));
    const { stderr } = await vivaOk(folder, "train", "--run", "taken", "--resume", "--quiet");
    expect(stderr).toMatch(/^warning: the report could not be written: \S+report\.html: a folder is there, .+\n$/);
  });
});
