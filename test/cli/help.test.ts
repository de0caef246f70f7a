/** Every command that `viva --help` lists has help and a section of docs/commands.md. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root, temporaryFolder, vivaOk } from "./command-line.ts";

const folder = temporaryFolder();
const headings = readFileSync(join(root, "docs/commands.md"), "utf8").match(/^#+ .*$/gm)!;

/** The commands that a command's help lists, each with what stands before it. */
async function commandsBelow(...path: readonly string[]): Promise<string[][]> {
  const { stdout } = await vivaOk(folder, ...path, "--help");
  const list = stdout.split("\nCommands:\n")[1] ?? "";
  const names = [...list.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name]) => name!).filter((name) => name !== "help");
  return names.map((name) => [...path, name]);
}

const commands = await commandsBelow();

test("the list of commands is read", () => {
  expect(commands).toContainEqual(["train"]);
});

test.each(commands)("%s", async (name) => {
  const below = await commandsBelow(name);
  for (const path of below.length === 0 ? [[name]] : below) {
    const titled = headings.some((heading) => new RegExp(`\`viva ${path.join(" ")}[ \`]`).test(heading));
    expect(titled, `docs/commands.md has no heading with \`viva ${path.join(" ")}\``).toBe(true);
  }
});
