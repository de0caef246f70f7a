/** Completion in zsh: `source <(viva completion zsh)`, after compinit. */
import { type CommandWords, pathsBelow, quoted } from "./words.ts";

export function zsh(commands: readonly CommandWords[]): string {
  return `#compdef viva
_viva() {
  local at=viva word
  local -a flags others
  for word in \${words[2,CURRENT-1]}; do
    case "$at $word" in
      (${pathsBelow(commands).map(quoted).join("|")}) at="$at $word" ;;
    esac
  done
  case "$at \${words[CURRENT-1]}" in
${commands.flatMap(valuesOfOptions).join("\n")}
  esac
  case "$at" in
${commands.map(wordsOf).join("\n")}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then _describe option flags
  elif (( \${#others} )); then _describe command others
  else _files
  fi
}
compdef _viva viva
`;
}

function valuesOfOptions({ path, options }: CommandWords): readonly string[] {
  return options
    .filter(({ takesValue }) => takesValue)
    .map(({ names, values }) => {
      const patterns = names.map((name) => quoted(`${path} ${name}`)).join("|");
      return `    (${patterns}) ${values.length === 0 ? "_files" : `compadd -- ${values.map(quoted).join(" ")}`}; return ;;`;
    });
}

function wordsOf({ path, commands, options, values }: CommandWords): string {
  const flags = options.flatMap(({ names, description }) =>
    names.filter((name) => name.startsWith("--")).map((name) => described(name, description)),
  );
  const others = [...commands.map(({ name, description }) => described(name, description)), ...values.map(quoted)];
  return `    (${quoted(path)}) flags=(${flags.join(" ")}); others=(${others.join(" ")}) ;;`;
}

function described(name: string, description: string): string {
  return quoted(`${name}:${description}`);
}
