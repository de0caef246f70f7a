/** What no command takes: a word that is empty, and a file to write that is also read or written under another name. */
import { existsSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import type { Command, Option } from "commander";
import { UserError } from "../core/errors.ts";

/** An option that names a file to write. */
export type OutputOption = Option & { readonly writes: true };

/** Looks at a command's words before it acts; UserError. */
export function checkWords(program: Command): void {
  program.hook("preAction", (_, acting) => {
    const given = [
      ...acting.registeredArguments.map((own, i) => ({
        name: own.name(),
        value: acting.processedArgs[i],
        writes: false,
      })),
      ...acting.options.map((own) => {
        return {
          name: own.long ?? own.flags,
          value: acting.getOptionValue(own.attributeName()),
          writes: "writes" in own,
        };
      }),
    ];
    const words = given.flatMap(({ name, value, writes }) =>
      [value].flat().flatMap((text: unknown) => (typeof text === "string" ? [{ name, text, writes }] : [])),
    );
    // A variable of the shell that was never set, not a name of nothing or of the folder here.
    const empty = words.find(({ text }) => text === "");
    if (empty !== undefined) throw new UserError(`${empty.name}: the word given is empty`);
    for (const out of words.filter(({ writes }) => writes)) {
      const other = words.find(
        (own) => own !== out && (own.writes || existsSync(own.text)) && isSame(own.text, out.text),
      );
      if (other === undefined) continue;
      throw new UserError(`${out.name} ${out.text}: ${other.name} is the same file, which would be lost: name another`);
    }
  });
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) => (existsSync(path) ? realpathSync(path) : resolve(path)));
  return a === b;
}
