/** What viva probe does; its options are in probe.ts. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Device } from "../core/device.ts";
import {
  type ChangedPolicy,
  findProbes,
  findProtocol,
  formatProbes,
  type ProtocolName,
  prepareTools,
  probeResults,
  readTraining,
  runProbes,
} from "../evaluate/index.ts";
import { toolOptions } from "../evaluate/probes/tool-options.ts";
import { type Derivation, exportCheckpoint } from "../export/export.ts";
import { evaluationLength } from "../recipes/stage-kinds.ts";
import { attackOn } from "../session/attack.ts";
import { calibrator } from "../session/calibration.ts";
import {
  type OpenCheckpointOptions,
  openCheckpoint,
  type PromptName,
  questionsAskedBy,
} from "../session/checkpoint.ts";
import { openProbeTools } from "../session/probe-tools.ts";
import { openVocabulary } from "../session/reward-services.ts";
import { downloadReporter, writeJson, writeJsonLines } from "./options.ts";
import type { QuestionOptions } from "./question-options.ts";
import { describeQuestions, loadQuestions } from "./questions.ts";

/** Besides these, the options of the probes' tools. */
export interface ProbeOptions extends QuestionOptions {
  readonly probe?: readonly string[];
  readonly protocol: string;
  readonly prompt?: PromptName;
  readonly device: Device;
  readonly step?: number;
  readonly maxCompletionLength?: number;
  readonly out: string;
  readonly samples?: string;
  readonly json?: boolean;
}

export async function probe(checkpoint: string, given: ProbeOptions, signal: AbortSignal): Promise<void> {
  const names = findProbes(given.probe ?? []);
  const protocol = findProtocol(given.protocol).name as ProtocolName;
  const open = prepareTools(names, toolValues(given));
  const beside = { train: readTraining(names) };
  const { asked: o, examples, train } = await loadQuestions(checkpoint, given, signal, beside);
  const reporter = downloadReporter();
  const source = { ...o, reporter, signal };
  const opened = await openCheckpoint(checkpoint, source);
  try {
    const { processor, prompt, folder: subject, recipe } = opened;
    const folder = join(dirname(o.out), "replies");
    const calibrate = calibrator(opened, train ?? []);
    const { tools, close } = await openProbeTools(open, { ...source, prompt, folder });
    try {
      const { results, answers } = await runProbes(opened.engine.policy, examples, names, {
        processor,
        prompt,
        protocol,
        maxCompletionLength: o.maxCompletionLength ?? (recipe === null ? 64 : evaluationLength(recipe)),
        checkpoint: subject,
        seed: o.seed,
        vocabulary: openVocabulary(recipe?.vocabulary ?? null),
        train,
        tools,
        attack: attackOn(opened),
        openChanged: async (change) => openChanged(checkpoint, await calibrate(change), { ...source, prompt }),
        signal,
        onProgress: (step, total) => reporter.step({ stage: "probe", step, total, metrics: {} }),
      });
      reporter.close();
      const about = { data: describeQuestions(o, examples.length), subject, prompt: prompt.style, protocol };
      const found = probeResults(about, results);
      writeJson(o.out, found);
      if (o.samples !== undefined) {
        const lines = [...answers].flatMap(([variant, asked]) => asked.map(({ item }) => ({ variant, ...item })));
        writeJsonLines(o.samples, lines);
      }
      console.log(o.json ? JSON.stringify(found) : `${formatProbes(found)}\n\nresults: ${o.out}`);
    } finally {
      await close();
    }
  } finally {
    await opened.engine.close();
  }
}

/** The checkpoint with its weights changed: rounded ones are held in integers, others lie in a folder meanwhile. */
async function openChanged(checkpoint: string, change: Derivation, o: OpenCheckpointOptions): Promise<ChangedPolicy> {
  if (change.kind === "quantize" && change.search !== true) {
    const { engine } = await openCheckpoint(checkpoint, { ...o, quantize: `int${change.bits}` });
    return { policy: engine.policy, close: () => engine.close() };
  }
  const folder = mkdtempSync(join(tmpdir(), "viva-pruned-"));
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  try {
    const out = join(folder, "model");
    const written = { out, what: "merged", dtype: "float32", maxShardBytes: 5e9, overwrite: false } as const;
    await exportCheckpoint(checkpoint, { ...o, ...written, derivation: change });
    const limits = questionsAskedBy(checkpoint).imageLimits;
    const { step: _, ...rest } = o;
    const { engine } = await openCheckpoint(out, { ...rest, ...(limits === undefined ? {} : { imageLimits: limits }) });
    return { policy: engine.policy, close: () => engine.close().finally(remove) };
  } catch (error) {
    remove();
    throw error;
  }
}

/** What is given of the probes' tools, by option; commander spells judge-url judgeUrl. */
function toolValues(o: object): Readonly<Record<string, string | undefined>> {
  const given = o as Readonly<Record<string, string | undefined>>;
  const keyOf = (name: string) => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(Object.keys(toolOptions()).map((name) => [name, given[keyOf(name)]]));
}
