/** What a recipe asks of its engine beyond what every engine does, each with the key that asks it. */
import { encodeOptions, type PromptStyle } from "../answers/prompts.ts";
import type { Processor } from "../core/processor.ts";
import type { Example, Prompt } from "../core/records.ts";
import type { EngineDemands, EngineFeature, FeatureDemand } from "../engine/backend.ts";
import { engines } from "../engine/index.ts";
import type { Recipe, Stage } from "../recipes/schema.ts";
import { environmentOf, isSoftQ, isWarmUp, needsOf } from "../recipes/stage-kinds.ts";

interface DemandingData {
  readonly processor: Processor;
  readonly prompt: PromptStyle;
  readonly train: readonly Example[];
  readonly evaluation: readonly Example[] | null;
}

/** Of a run; for an engine on this machine the list is not looked at, and no prompt is made. */
export async function demandsOf(recipe: Recipe, data: DemandingData): Promise<EngineDemands> {
  const hasImages = [...data.train, ...(data.evaluation ?? [])].some(({ images }) => images.length > 0);
  return {
    features: [
      ...demandsOfModel(recipe),
      ...recipe.stages.flatMap(demandsOfStage),
      ...asked([["data with images", "images", hasImages]]),
    ],
    images: engines[recipe.engine.backend].remote ? await imageProbe(data) : null,
  };
}

/** The same question about a black and about a white image. */
export async function imageProbe(
  o: Pick<DemandingData, "processor" | "prompt">,
): Promise<NonNullable<EngineDemands["images"]>> {
  return { black: await probePrompt(o, 0), white: await probePrompt(o, 255) };
}

function demandsOfModel({ model, engine }: Recipe): readonly FeatureDemand[] {
  const { lora, init, freeze, quantize_frozen } = model;
  const { target_modules, exclude_modules, layers_to_transform, layers_pattern } = lora ?? {};
  const patterns = [lora?.rank_pattern ?? {}, lora?.alpha_pattern ?? {}];
  const choosesLayers =
    (target_modules !== undefined && target_modules !== "all-linear") ||
    [exclude_modules, layers_to_transform, layers_pattern].some((choice) => choice != null) ||
    patterns.some((pattern) => Object.keys(pattern).length > 0);
  return asked([
    ["model.lora: null", "all_weights", lora === null],
    ["model.lora", "chosen_layers", choosesLayers],
    [`model.lora.lora_dropout: ${lora?.lora_dropout}`, "lora_dropout", (lora?.lora_dropout ?? 0) > 0],
    ["model.init: random", "random_weights", init === "random"],
    ["model.freeze", "frozen_parts", freeze.length > 0],
    [`model.quantize_frozen: ${quantize_frozen}`, "quantised_base", quantize_frozen !== null],
    [`engine.device: ${engine.device}`, "device", engine.device !== "cpu"],
  ]);
}

function demandsOfStage(stage: Stage, i: number): readonly FeatureDemand[] {
  const { generation, reference, scoreHead, tokenStats } = needsOf(stage);
  const { temperature = 1, top_p = 1, top_k = 0 } = generation ?? {};
  const entropy = "entropy_coef" in stage ? stage.entropy_coef : 0;
  const attacked = "adversarial" in stage && stage.adversarial !== null;
  const key = (name: string) => `stages.${i}.${name}`;
  return asked([
    [key(`temperature: ${temperature}`), "temperature", temperature !== 1],
    [key(`top_p: ${top_p}`), "top_p", top_p !== 1],
    [key(`top_k: ${top_k}`), "top_k", top_k !== 0],
    [key(`shaping: ${"shaping" in stage ? stage.shaping : "none"}`), "token_stats", tokenStats.length > 0],
    [key(`entropy_coef: ${entropy}`), "entropy_bonus", entropy > 0],
    [key("beta"), "reference", reference],
    [key(`kind: ${stage.kind}`), "critic", isSoftQ(stage)],
    [key(isWarmUp(stage) ? "kind: warm_up" : "adversarial"), "pixel_gradients", isWarmUp(stage) || attacked],
    [key(`kind: ${stage.kind}`), "score_head", scoreHead],
    [key(`environment: ${environmentOf(stage)?.name}`), "turns", environmentOf(stage) !== null],
    [`stages.${i}`, "later_stage", i > 0],
  ]);
}

function asked(list: readonly (readonly [key: string, feature: EngineFeature, isAsked: boolean])[]): FeatureDemand[] {
  return list.flatMap(([key, feature, isAsked]) => (isAsked ? [{ key, feature }] : []));
}

/** A question about an image of one grey. */
function probePrompt(
  { processor, prompt }: Pick<DemandingData, "processor" | "prompt">,
  grey: number,
): Promise<Prompt> {
  const [width, height] = [112, 112];
  const pixels = { width, height, channels: 3, data: new Uint8Array(3 * width * height).fill(grey) } as const;
  const image = { type: "image", image: { path: `probe:${grey}`, pixels } } as const;
  const text = { type: "text", text: "?" } as const;
  return processor.encode([{ role: "user", content: [image, text] }], encodeOptions(prompt));
}
