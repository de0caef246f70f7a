/** Every command that `viva --help` lists has help and a section of docs/commands.md. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root, temporaryFolder, vivaOk } from "./command-line.ts";

const folder = temporaryFolder();
const headings = readFileSync(join(root, "docs/commands.md"), "utf8").match(/^#+ .*$/gm)!;

/** The commands that a command's help lists, each with what stands before it. */
function commandsBelow(help: string, ...path: readonly string[]): string[][] {
  const list = help.split("\nCommands:\n")[1] ?? "";
  const names = [...list.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name]) => name!).filter((name) => name !== "help");
  return names.map((name) => [...path, name]);
}

const { stdout: all } = await vivaOk(folder, "--help");
const commands = commandsBelow(all);

test("the list of commands is read", () => {
  expect(commands).toContainEqual(["train"]);
});

test.each(commands)("%s", async (name) => {
  const { stdout } = await vivaOk(folder, name!, "--help");
  const below = commandsBelow(stdout, name!);
  for (const path of below.length === 0 ? [[name]] : below) {
    const titled = headings.some((heading) => new RegExp(`\`viva ${path.join(" ")}[ \`]`).test(heading));
    expect(titled, `docs/commands.md has no heading with \`viva ${path.join(" ")}\``).toBe(true);
  }
  if (below.length > 0) return;
  expect(stdout).not.toMatch(/default: (\[\]|\{\})/);
  // The list of all is a table that is read without the command: it shows the arguments that the command takes.
  const [, takes] = new RegExp(`^Usage: viva ${name} (?:\\[options\\] ?)?(.*)$`, "m").exec(stdout)!;
  const [, listed] = new RegExp(`^  ${name}(?: \\[options\\])?((?: [[<]\\S+)*)  `, "m").exec(all)!;
  expect(listed!.trim()).toBe(takes);
});
