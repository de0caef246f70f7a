/** The script that prints a model's programs, as a user runs it. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

function showProgram(...args: readonly string[]) {
  const script = ["--import", "tsx", "scripts/show-program.ts", ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, script, { cwd: root, encoding: "utf8" });
  return { status, stdout, stderr };
}

test("a block's program, and with --rewrites what was done to it", () => {
  const { status, stdout, stderr } = showProgram("assets/viva-tiny", "decode", "--rewrites");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toMatch(/^inputs\n {2}tokenIds : int32\[flat\]\n/);
  expect(stdout).toMatch(/\n {2}%\d+ = matmul\(%\d+, model\.layers\.0\.self_attn\.o_proj\.weight\) \{transposeB\} : /);
  expect(stdout).toMatch(/\noutputs\n {2}token = %\d+\n {2}logProb = %\d+\n {2}added = %\d+\n\n/);
  expect(stdout).toMatch(/\nforSmallBatch: \d+ -> \d+ nodes: \d+ removed, \d+ added, \d+ changed\n/);
  expect(stdout).toMatch(/\nlowering: \d+ -> \d+ nodes: .*\n/);
});

test("a quantised base is looked up before its rows become floats", () => {
  const { stdout } = showProgram("assets/viva-tiny", "language-stem", "--rewrites", "--bits", "8");
  expect(stdout).toMatch(/\n {2}- %\d+ = gather\(%\d+, tokenIds\) : float32\[/);
  expect(stdout).toMatch(/\n {2}\+ %\d+ = gather\(model\.embed_tokens\.weight\.packed, tokenIds\) : uint8\[/);
});

test("an unknown kind", () => {
  const { status, stderr } = showProgram("assets/viva-tiny", "blocks");
  expect(status).toBe(2);
  expect(stderr).toContain("kinds: vision-stem, vision-block,");
});
