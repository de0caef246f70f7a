/** GRPO on the four verbs, from questions to a saved model: npx tsx examples/grpo-loop.ts */
import { defaultLossNumbers, groupRelativeAdvantages, plainVariant, tokenWeights } from "viva-rl/algorithms";
import { loadDataset } from "viva-rl/data";
import { type Completion, encodeQuestion, openEngine, promptStyle, type SamplingOptions } from "viva-rl/engine";
import { evaluatePolicy } from "viva-rl/evaluate";
import { buildRewards, rewardsAt, scoreGroup } from "viva-rl/rewards";

const [steps = "20", folder = "runs/grpo-loop"] = process.argv.slice(2);
const PROMPTS_PER_STEP = 8;
const MAX_LENGTH = 64;

const prompt = promptStyle("think_answer");
const { engine, processor } = await openEngine("viva-tiny-instruct");
const train = await loadDataset({ name: "phantom_world", split: "train", limit: 400, seed: 1 });
const test = await loadDataset({ name: "phantom_world", split: "test", limit: 52, seed: 2 });
const rewards = rewardsAt(await buildRewards({ accuracy: 1, format: 0.5 }), 0);

async function accuracy(checkpoint: string): Promise<number> {
  const o = { processor, prompt, maxCompletionLength: MAX_LENGTH, checkpoint, train };
  const { summary } = await evaluatePolicy(engine.policy, test, o);
  return summary.subsets.overall!.accuracy.estimate;
}

console.log(`before: ${(100 * (await accuracy("start"))).toFixed(1)} % of ${test.length} questions`);
for (let step = 0; step < Number(steps); step++) {
  const examples = Array.from(
    { length: PROMPTS_PER_STEP },
    (_, i) => train[(step * PROMPTS_PER_STEP + i) % train.length]!,
  );
  const prompts = await Promise.all(examples.map((example) => encodeQuestion(processor, example, prompt)));

  // 1. sample a group of completions for each question
  const sampling: SamplingOptions = {
    ...{ numGenerations: 8, maxCompletionLength: MAX_LENGTH, temperature: 1, topP: 1, topK: 0 },
    ...{ seed: 7, step, trainsNext: true },
  };
  const groups: (readonly Completion[])[] = [];
  for await (const { index, completions } of engine.policy.sample(prompts, sampling)) groups[index] = completions;

  // 2. reward them, and compare each with its group
  const scores = await Promise.all(groups.map((group, i) => scoreGroup(rewards, examples[i]!, group)));
  const advantages = groupRelativeAdvantages(
    scores.map(({ reward }) => reward),
    { scaleRewards: "group" },
  );

  // 3. forwardBackward: one weight per token of a completion, as GRPO's loss_type says
  const lengths = groups.flat().map(({ tokenIds }) => tokenIds.length);
  const unmasked = lengths.map(() => false);
  const weights = tokenWeights(lengths, unmasked, { lossType: "grpo", maxCompletionLength: MAX_LENGTH });
  const flat = advantages.flat();
  const { loss } = await engine.forwardBackward({
    scoring: { temperature: 1, topP: 1, topK: 0 },
    loss: { name: "clip", variant: plainVariant, numbers: defaultLossNumbers },
    groups: groups.map((group, i) => ({
      prompt: prompts[i]!,
      completions: group.map(({ tokenIds, logProbs }, j) => {
        const at = i * group.length + j;
        return { tokenIds, oldLogProbs: logProbs, weight: weights[at]!, advantage: flat[at]! };
      }),
    })),
  });

  // 4. optimStep
  const adam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, maxGradNorm: 1 };
  const { gradNorm } = await engine.optimStep({ learningRate: 1e-4, ...adam });
  const reward = scores.flatMap((score) => score.reward).reduce<number>((sum, r) => sum + r!, 0) / flat.length;
  console.log(
    `step ${step + 1}: reward ${reward.toFixed(3)}, loss ${loss.toFixed(4)}, gradient ${gradNorm.toFixed(3)}`,
  );
}
console.log(`after: ${(100 * (await accuracy("end"))).toFixed(1)} % of ${test.length} questions`);
await engine.save(folder, { training: false });
await engine.close();
