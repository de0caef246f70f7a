/** Completion in fish: `viva completion fish | source`. */
import { type CommandWords, pathsBelow } from "./words.ts";

export function fish(commands: readonly CommandWords[]): string {
  return `function __viva_at
  set -l at viva
  set -l words (commandline -opc)
  for word in $words[2..]
    if contains -- "$at $word" ${pathsBelow(commands).map(quoted).join(" ")}
      set at "$at $word"
    end
  end
  test "$at" = "$argv[1]"
end
${commands.flatMap(rowsOf).join("\n")}
`;
}

function rowsOf({ path, commands, options, values }: CommandWords): readonly string[] {
  const row = `complete -c viva -n ${quoted(`__viva_at ${quoted(path)}`)}`;
  return [
    ...commands.map(({ name, description }) => `${row} -f -a ${quoted(name)} -d ${quoted(description)}`),
    ...values.map((value) => `${row} -f -a ${quoted(value)}`),
    ...options.map(({ names, description, takesValue, values: known }) => {
      const flags = names.map((name) => (name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
      const value = !takesValue ? [] : known.length === 0 ? ["-r"] : ["-x", "-a", quoted(known.join(" "))];
      return [row, ...flags, ...value, "-d", quoted(description)].join(" ");
    }),
  ];
}

/** In fish a backslash within single quotes stands for itself unless before a quote or another backslash. */
function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
