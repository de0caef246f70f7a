/** viva completion: prints a script that completes viva's words in a shell, made from the commands as they are. */
import { Argument, Command, type Option } from "commander";
import { bash } from "./shells/bash.ts";
import { fish } from "./shells/fish.ts";
import type { CommandWords } from "./shells/words.ts";
import { zsh } from "./shells/zsh.ts";

const shells = { bash, zsh, fish } as const satisfies Readonly<
  Record<string, (commands: readonly CommandWords[]) => string>
>;

/** `whole` gives the program with all commands when the script is printed. */
export function completionCommand(whole: () => Promise<Command>): Command {
  return new Command("completion")
    .addArgument(new Argument("<shell>").choices(Object.keys(shells)))
    .action(async (shell: keyof typeof shells) =>
      console.log(shells[shell](commandWords(await whole(), [])).trimEnd()),
    );
}

/** A command and all below it; hidden ones are left out. */
export function commandWords(command: Command, above: readonly string[]): readonly CommandWords[] {
  const path = [...above, command.name()];
  const help = command.createHelp();
  const below = help.visibleCommands(command).filter((sub) => command.commands.includes(sub));
  const own: CommandWords = {
    path: path.join(" "),
    commands: below.map((sub) => ({ name: sub.name(), description: sub.description() })),
    options: help.visibleOptions(command).map(optionWords),
    values: command.registeredArguments[0]?.argChoices ?? [],
  };
  return [own, ...below.flatMap((sub) => commandWords(sub, path))];
}

function optionWords({
  short,
  long,
  description,
  argChoices,
  required,
  optional,
}: Option): CommandWords["options"][number] {
  const names = [short, long].filter((name) => name !== undefined);
  return { names, description, takesValue: required || optional, values: argChoices ?? [] };
}
