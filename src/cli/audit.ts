/** viva audit: an adaptive stress test that asks more where a model fails, and says where it is weakest. */
import { Command } from "commander";
import { decimalNumber, type Interruption, wholeNumber } from "./arguments.ts";
import type { AuditCommandOptions } from "./audit-asked.ts";
import { deviceOption, outOption, outputOption, promptOption } from "./options.ts";
import { addQuestionOptions, protocolOption } from "./question-options.ts";

export function auditCommand(interruption: Interruption): Command {
  const command = new Command("audit")
    .argument("[checkpoint]", "as for viva eval")
    .option("--endpoint <url>", "in place of a checkpoint: an OpenAI-compatible address, as http://localhost:8000/v1")
    .option("--model <name>", "the model's name at --endpoint")
    .option("--api-key-env <name>", "environment variable that holds the endpoint's key")
    .option("--roles <file>", "write new questions by language models behind endpoints, and grade by one (YAML)")
    .option("--queries <n>", "questions asked", wholeNumber(16, 1_000_000), 400)
    .option("--uniform-first <share>", "share of queries before the draw adapts", decimalNumber(0, 1), 0.25)
    .option("--mix <share>", "share of uniform draws after that", decimalNumber(0.01, 1), 0.3)
    .option("--power <p>", "how strongly draws follow failures", decimalNumber(0, 8), 2);
  return addQuestionOptions(command)
    .addOption(protocolOption().default("viva"))
    .addOption(promptOption())
    .addOption(deviceOption())
    .option("--max-completion-length <n>", "tokens per answer (default: the run's, else 64)", wholeNumber(1))
    .addOption(outOption("the results as one JSON object (schema: docs/schemas)"))
    .addOption(outputOption("--samples <file>", "JSONL: one line per query with its weight and grade"))
    .option("--json", "print the results as JSON")
    .action((checkpoint: string | undefined, options: AuditCommandOptions) =>
      interruption.during(async (signal) => {
        const { audit } = await import("./audit-asked.ts");
        await audit(checkpoint, options, signal);
      }),
    );
}
