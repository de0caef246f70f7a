/** Completion in bash: `source <(viva completion bash)`. */
import { type CommandWords, pathsBelow, quoted } from "./words.ts";

export function bash(commands: readonly CommandWords[]): string {
  return `_viva() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} at=viva i words=
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${pathsBelow(commands).map(quoted).join(" | ")}) at="$at \${COMP_WORDS[i]}" ;;
    esac
  done
  COMPREPLY=()
  case "$at $before" in
${commands.flatMap(valuesOfOptions).join("\n")}
  esac
  case "$at" in
${commands.map(wordsOf).join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _viva viva
`;
}

/** After an option that takes a value: its values, or file names, which is what bash falls back on. */
function valuesOfOptions({ path, options }: CommandWords): readonly string[] {
  return options
    .filter(({ takesValue }) => takesValue)
    .map(({ names, values }) => {
      const patterns = names.map((name) => quoted(`${path} ${name}`)).join(" | ");
      return `    ${patterns}) COMPREPLY=($(compgen -W ${quoted(values.join(" "))} -- "$word")); return ;;`;
    });
}

function wordsOf({ path, commands, options, values }: CommandWords): string {
  const flags = options.flatMap(({ names }) => names.filter((name) => name.startsWith("--"))).join(" ");
  const others = [...commands.map(({ name }) => name), ...values].join(" ");
  return `    ${quoted(path)}) if [[ $word == -* ]]; then words=${quoted(flags)}; else words=${quoted(others)}; fi ;;`;
}
