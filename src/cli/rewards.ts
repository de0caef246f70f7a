/** viva rewards: a Python file through which a trainer elsewhere asks `viva serve --rewards`, and the audit of rewards. */
import { readFileSync } from "node:fs";
import { Argument, Command } from "commander";
import { UserError } from "../core/errors.ts";
import { didYouMean } from "../core/suggest.ts";
import { replaceFile } from "../runs/durable.ts";
import { collect, type Interruption } from "./arguments.ts";
import { auditRewardsCommand } from "./audit-rewards.ts";
import { outputOption } from "./options.ts";

/** The trainers by name: a new one is a file in assets/reward-stubs and an entry here. */
const tools = {
  trl: "TRL",
  verl: "verl",
  easyr1: "EasyR1",
  swift: "ms-swift",
  openrlhf: "OpenRLHF",
  nemo_gym: "NeMo-Gym",
} as const;

type Tool = keyof typeof tools;

/** Columns that data may call otherwise. */
const columns = [
  ...["answer", "answer_type", "options", "question", "rationale", "facts", "id", "group", "meta", "reference"],
];

interface StubOptions {
  readonly url: string;
  readonly column: readonly string[];
  readonly out?: string;
}

export function rewardsCommand(interruption: Interruption): Command {
  const stub = new Command("stub")
    .description("print a Python file through which another trainer asks viva serve --rewards")
    .addArgument(new Argument("<tool>", "the trainer").choices(Object.keys(tools)))
    .option("--url <address>", "where the server will be", "http://127.0.0.1:8000")
    .option("--column <name=yours>", "what your data call a column, e.g. answer=solution (repeatable)", collect, [])
    .addOption(outputOption("--out <file>", "write it to this file"))
    .action((tool: Tool, o: StubOptions) => {
      const text = stubText(tool, o);
      if (o.out === undefined) process.stdout.write(text);
      else replaceFile(o.out, text);
    });
  return new Command("rewards").addCommand(stub).addCommand(auditRewardsCommand(interruption));
}

/** The whole file: what all stubs share, then what the trainer calls. */
function stubText(tool: Tool, { url, column }: StubOptions): string {
  if (!/^https?:\/\/[^\s"\\]+$/.test(url))
    throw new UserError(`--url ${url}: expected an address such as http://host:8000`);
  const named = Object.fromEntries(column.map(readColumn));
  const values = { TOOL: tools[tool], NAME: tool, URL: url, COLUMNS: JSON.stringify(named) };
  const shared = partOf("client").replace(/@([A-Z]+)@/g, (_, name: keyof typeof values) => values[name]);
  return `${shared}\n\n${partOf(tool)}`;
}

function partOf(name: string): string {
  return readFileSync(new URL(`../../assets/reward-stubs/${name}.py`, import.meta.url), "utf8");
}

function readColumn(text: string): readonly [string, string] {
  const [, name, yours] = /^([a-z_]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || yours === undefined) throw new UserError(`--column ${text}: expected NAME=YOURS`);
  if (columns.includes(name)) return [name, yours];
  throw new UserError(
    `--column ${text}: viva reads no column "${name}"${didYouMean(name, columns)}; it reads ${columns.join(", ")}`,
  );
}
