/** viva index: solved cases with their experts, for questions that are routed. */
import { Command, InvalidArgumentError } from "commander";
import type { Device } from "../core/device.ts";
import { UserError } from "../core/errors.ts";
import type { Interruption } from "./arguments.ts";
import { checkpointArgument, deviceOption, downloadReporter, outOption } from "./options.ts";
import { addQuestionOptions, type QuestionOptions } from "./question-options.ts";

interface IndexOptions extends QuestionOptions {
  readonly by?: string;
  readonly expert?: Readonly<Record<string, string>>;
  readonly device: Device;
  readonly out: string;
  readonly json?: boolean;
}

export function indexCommand(interruption: Interruption): Command {
  const command = new Command("index").addArgument(checkpointArgument());
  return addQuestionOptions(command, "train")
    .option("--by <stratum>", "the stratum of the data that names a case's expert, as modality")
    .option("--expert <value=adapter>", "the adapter that answers for a value of --by, repeatable", expert)
    .addOption(deviceOption())
    .addOption(outOption("the index: one safetensors file"))
    .option("--json", "print what was written as JSON")
    .action((checkpoint: string, options: IndexOptions) =>
      interruption.during((signal) => index(checkpoint, options, signal)),
    );
}

async function index(checkpoint: string, o: IndexOptions, signal: AbortSignal): Promise<void> {
  const { by = null, expert: experts = {}, device, out } = o;
  if ((by === null) !== (o.expert === undefined)) {
    throw new UserError(
      "--by STRATUM and --expert VALUE=ADAPTER belong together; without both, cases serve as context alone",
    );
  }
  const { buildCaseIndex } = await import("../session/case-index.ts");
  const { openCheckpoint } = await import("../session/checkpoint.ts");
  const { loadQuestions } = await import("./questions.ts");
  const { examples } = await loadQuestions(checkpoint, o, signal, { train: false });
  const reporter = downloadReporter();
  const opened = await openCheckpoint(checkpoint, { engine: "local", device, reporter, signal });
  try {
    const onProgress = (step: number, total: number) => {
      signal.throwIfAborted();
      reporter.step({ stage: "index", step, total, metrics: {} });
    };
    const cases = await buildCaseIndex(opened, examples, out, { by, experts, reporter, signal, onProgress });
    reporter.close();
    if (o.json) return console.log(JSON.stringify({ out, cases }));
    const shown = Object.entries(cases).map(([name, n]) => `${n} of ${name === "" ? "the model itself" : name}`);
    console.log(`${examples.length} cases written to ${out}: ${shown.join(", ")}`);
  } finally {
    await opened.engine.close();
  }
}

function expert(text: string, earlier: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = text.indexOf("=");
  const [name, folder] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  if (at < 1 || name === "" || folder === "") {
    throw new InvalidArgumentError("Expected a value and an adapter, such as ct=runs/ct.");
  }
  if (earlier[name] !== undefined) throw new InvalidArgumentError(`The value ${name} has an expert already.`);
  return { ...earlier, [name]: folder };
}
