/** The command-line options of the probes' tools: what a command says of them before any probe is loaded. */
import type { ProbeName } from "../names.ts";

/** A command-line option of a tool. */
export interface ToolOption {
  /** Placeholder of the value in the help, e.g. <folder>. */
  readonly value: string;
  readonly about: string;
}

export type ToolOptions = Readonly<Record<string, ToolOption>>;

/** What is known of a tool without its code; options by name without dashes. */
export interface ToolWords<Required extends ToolOptions = ToolOptions, Optional extends ToolOptions = ToolOptions> {
  /** As used in messages: "--judge-key-env is for a judge". */
  readonly what: string;
  /** Those that use it. */
  readonly probes: readonly ProbeName[];
  /** All or none must be given. */
  readonly required: Required;
  /** Only allowed together with the required ones. */
  readonly optional: Optional;
}

/** In the order of the help. */
export const toolWords = {
  embedding: {
    what: "an encoder",
    probes: ["semantic"],
    required: { encoder: { value: "<folder>", about: "a sentence encoder exported to ONNX" } },
    optional: {},
  },
  untuned: {
    what: "an untuned model",
    probes: ["semantic"],
    required: { untuned: { value: "<checkpoint>", about: "the model before tuning" } },
    optional: {},
  },
  judge: {
    what: "a judge",
    probes: ["judge"],
    required: {
      "judge-url": { value: "<url>", about: "the endpoint's address before /chat/completions" },
      "judge-model": { value: "<name>", about: "the model's name there" },
    },
    optional: {
      "judge-key-env": { value: "<name>", about: "the environment variable that holds its key" },
      "judge-max-tokens-field": { value: "<name>", about: "what the endpoint calls the limit on tokens" },
      calibration: { value: "<file>", about: "JSONL rows {question, answer, completion, verdict} judged by people" },
    },
  },
} as const satisfies Readonly<Record<string, ToolWords>>;

/** Every option once, by its name without dashes. */
export function toolOptions(): Readonly<Record<string, { readonly flags: string; readonly about: string }>> {
  const options = Object.values<ToolWords>(toolWords).flatMap(({ probes, required, optional }) =>
    Object.entries({ ...required, ...optional }).map(([name, { value, about }]) => {
      return [name, { flags: `--${name} ${value}`, about: `for ${probes.join(", ")}: ${about}` }] as const;
    }),
  );
  return Object.fromEntries(options);
}
