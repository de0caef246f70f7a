import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");

it.skipIf(!existsSync(join(root, ".git")))("nothing that is built, and so ignored, is in the repository", () => {
  const args = ["-c", "safe.directory=*", "ls-files", "--cached", "--ignored", "--exclude-standard"]; // whoever owns it
  const tracked = execFileSync("git", args, { cwd: root });
  expect(tracked.toString()).toBe("");
});
