/** Every alarm fires on made-up data that shows its trouble and is silent on a healthy run; none fires twice. */
import { describe, expect, it } from "vitest";
import type { Metrics } from "../../runs/metrics.ts";
import { type AlarmSettings, type ObservedCompletion, type ObservedGroup, watchedRewards } from "./alarm.ts";
import { type AlarmName, alarmRules } from "./index.ts";
import { openAlarms } from "./watch.ts";

const rewards = watchedRewards([
  { reward: { name: "accuracy", range: [0, 1], score: () => [] }, weight: 1 },
  { reward: { name: "format", range: [0, 1], score: () => [] }, weight: 0.5 },
  { reward: { name: "ecr", range: [0, 1], measuresLength: true, score: () => [] }, weight: 0.1 },
]);

/** A small generator: made-up data must be the same each time, and have no pattern. */
function noise(seed: number): () => number {
  let state = seed + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

type Change = {
  readonly metrics?: Metrics;
  readonly completion?: (given: ObservedCompletion, group: number, i: number) => Partial<ObservedCompletion>;
};

/** A step of four groups of eight completions: half of the answers right, all kinds of lengths. */
function step(at: number, { metrics = {}, completion = () => ({}) }: Change = {}) {
  const random = noise(at);
  const groups = Array.from({ length: 4 }, (_, g): ObservedGroup => {
    const kind = g % 2 === 0 ? ("closed" as const) : ("choice" as const);
    const answer = kind === "closed" ? ["yes", "no"][(g / 2) % 2]! : ["left", "right"][((g - 1) / 2) % 2]!;
    const wrong = { yes: "no", no: "yes", left: "right", right: "left" }[answer]!;
    const completions = Array.from({ length: 8 }, (_, i): ObservedCompletion => {
      const right = random() < 0.5;
      const tokens = 10 + Math.floor(20 * random());
      const format = Number(random() < 0.8);
      const given: ObservedCompletion = {
        tokens,
        finish_reason: random() < 0.1 ? "length" : "stop",
        parsed_answer: { text: right ? answer : wrong, start: 0, end: 1 },
        rewards: { accuracy: Number(right), format, ecr: tokens / 100 },
        reward: Number(right) + 0.5 * format + tokens / 1000,
      };
      return { ...given, ...completion(given, g, i) };
    });
    return {
      id: `${at}/${g}`,
      answer,
      answer_type: kind,
      choices: kind === "choice" ? ["left", "right"] : [],
      answer_index: kind === "choice" ? ["left", "right"].indexOf(answer) : null,
      completions,
    };
  });
  const healthy = {
    "reward/mean": 0.9 + 0.1 * random(),
    "reward/std": 0.5,
    "group/zero_std_fraction": 0.2 * random(),
    "completion/truncated_fraction": 0.1,
    "completion/length_mean": 19 + 2 * random(),
    "policy/entropy": 0.4 + 0.1 * random(),
    "policy/kl": 0.02 * random(),
    "sampler/logprob_diff_max": 2e-6,
  };
  return { step: at, metrics: { ...healthy, ...metrics }, groups };
}

function watch(name?: AlarmName, settings?: AlarmSettings) {
  const all = Object.entries(alarmRules).map(([name, rule]) => ({ name, rule, settings: settings ?? rule.defaults }));
  return openAlarms(name === undefined ? all : all.filter((rule) => rule.name === name), rewards);
}

const names = (alarms: readonly { readonly rule: string; readonly subject: string | null }[]) => [
  ...new Set(alarms.map(({ rule, subject }) => (subject === null ? rule : `${rule} ${subject}`))),
];

/** What fires over healthy steps and then troubled ones. */
function fire(trouble: Change | ((i: number) => Change), { healthy = 20, troubled = 20 } = {}) {
  const alarms = watch();
  const before = Array.from({ length: healthy }, (_, i) => alarms.see(step(i + 1))).flat();
  const after = Array.from({ length: troubled }, (_, i) => {
    return alarms.see(step(healthy + i + 1, typeof trouble === "function" ? trouble(i) : trouble));
  }).flat();
  return { before, after };
}

it("is silent over 100 healthy steps", () => {
  const alarms = watch();
  const fired = Array.from({ length: 100 }, (_, i) => alarms.see(step(i + 1))).flat();
  expect(fired.map(({ rule, message }) => `${rule}: ${message}`)).toEqual([]);
});

const metric = (key: string, value: number | string): Change => ({ metrics: { [key]: value } });
const rewarded = (accuracy: number | null, format: number): Change => ({
  completion: (given) => ({ rewards: { ...given.rewards, accuracy, format } }),
});
const troubles: readonly (readonly [string, Change, readonly string[]])[] = [
  ["idle groups", { metrics: { "group/zero_std_fraction": 1 }, completion: () => ({ reward: 1 }) }, ["zero_variance"]],
  ["cut completions", metric("completion/truncated_fraction", 0.7), ["truncated"]],
  ["a lost reward", metric("reward/mean", 0.2), ["reward_collapse"]],
  ["long completions", metric("completion/length_mean", 90), ["length_explosion"]],
  ["short completions", metric("completion/length_mean", 4), ["length_collapse"]],
  ["a policy far from its reference", metric("policy/kl", 3), ["kl_high"]],
  ["an infinite KL, as the record spells it", metric("policy/kl", "Infinity"), ["kl_high"]],
  ["a policy that is sure", metric("policy/entropy", 0.001), ["entropy_low"]],
  ["a policy that draws at random", metric("policy/entropy", 7), ["entropy_high"]],
  ["a sampler that disagrees", metric("sampler/logprob_diff_max", 0.2), ["logprob_difference"]],
  ["a format that is never kept", rewarded(1, 0), ["reward_stuck format"]],
  ["an accuracy of 0", rewarded(0, 1), ["reward_stuck accuracy"]],
  ["a reward that never applies", rewarded(null, 1), ["reward_stuck accuracy"]],
  [
    "one option for all",
    {
      completion: (given, group) =>
        group % 2 === 1 ? { parsed_answer: { text: "A. left", start: 0, end: 1 } } : given,
    },
    ["dominant_answer choice"],
  ],
  [
    "no for all",
    { completion: (given, group) => (group % 2 === 0 ? { parsed_answer: { text: "No.", start: 0, end: 1 } } : given) },
    ["dominant_answer closed"],
  ],
  [
    "a judge that likes long texts",
    { completion: (given) => ({ rewards: { ...given.rewards, format: given.tokens / 30 } }) },
    ["length_over_accuracy format"],
  ],
  [
    "a sum that is mostly length",
    { completion: ({ tokens, rewards: { accuracy } }) => ({ reward: tokens / 10 + 0.1 * accuracy! }) },
    ["length_over_accuracy"],
  ],
];

describe("each alarm", () => {
  it.each(troubles)("fires for %s, once and alone, and clears when it is over", (_, trouble, expected) => {
    const { before, after } = fire((i) => (i < 15 ? trouble : {}), { healthy: 20, troubled: 35 });
    expect(before).toEqual([]);
    const fired = after.filter(({ event }) => event === "alarm");
    expect(fired.map(({ rule, subject }) => (subject === null ? rule : `${rule} ${subject}`))).toEqual(expected);
    expect(names(after.filter(({ event }) => event === "alarm_cleared"))).toEqual(expected);
    for (const { value, message, evidence, advice } of fired) {
      expect(value).not.toBeNaN();
      expect(message.length * advice.length).toBeGreaterThan(0);
      expect(evidence.length).toBeGreaterThan(0);
      for (const id of evidence) expect(id).toMatch(/^\d+\/[0-3]$/);
    }
  });

  it("has a case above", () => {
    const fired = new Set(troubles.flatMap(([, , expected]) => expected.map((name) => name.split(" ")[0])));
    expect([...fired].sort()).toEqual(Object.keys(alarmRules).sort());
  });

  it("is silent before its window is full", () => {
    const alarms = watch("truncated");
    const fired = Array.from({ length: 10 }, (_, i) => alarms.see(step(i, metric("completion/truncated_fraction", 1))));
    expect(fired.map((alarms) => alarms.length)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  });
});

describe("an alarm", () => {
  const settings = { window: 1, threshold: 0.5, clear: 0.3 };
  const see = (...shares: readonly number[]) => {
    const alarms = watch("truncated", settings);
    return shares.map(
      (share, i) => alarms.see(step(i, metric("completion/truncated_fraction", share)))[0]?.event ?? "",
    );
  };

  it("fires at the threshold and again only after it has cleared", () => {
    expect(see(0.4, 0.5, 0.6, 0.4, 0.6, 0.3, 0.7, 0.29, 0.4, 0.5)).toEqual([
      ...["", "alarm", "", "", "", "", "", "alarm_cleared", "", "alarm"],
    ]);
  });

  it("names the groups that show it, the latest first", () => {
    const cut: Change = {
      metrics: { "completion/truncated_fraction": 1 },
      completion: (_, group) => ({ finish_reason: group < 2 ? "length" : "stop" }),
    };
    const alarms = watch("truncated", { ...settings, window: 2 });
    alarms.see(step(1, cut));
    expect(alarms.see(step(2, cut))[0]!.evidence).toEqual(["2/0", "2/1", "1/0", "1/1"]);
  });
});

describe("what is no trouble", () => {
  it("a reward at its best, also where its weight is negative", () => {
    expect(fire(rewarded(1, 1)).after).toEqual([]);
    const penalty = watchedRewards([
      { reward: { name: "format", range: [0, 1], score: () => [] }, weight: { from: 1, to: -1, steps: 5 } },
    ]);
    const rule = { name: "reward_stuck", rule: alarmRules.reward_stuck, settings: alarmRules.reward_stuck.defaults };
    const stuckAt = (value: number) => {
      const alarms = openAlarms([rule], penalty);
      return Array.from({ length: 10 }, (_, i) => alarms.see(step(i, rewarded(1, value)))).flat().length;
    };
    expect([stuckAt(0), stuckAt(1)]).toEqual([0, 1]);
  });

  it("a rising reward, and one that was always low", () => {
    const rising = fire((i) => metric("reward/mean", 0.9 + 0.01 * i));
    expect(rising.after).toEqual([]);
    const low = fire(metric("reward/mean", 0.1), { healthy: 0, troubled: 40 });
    expect(names(low.after)).not.toContain("reward_collapse");
  });

  it("an answer that is common because it is right", () => {
    const alarms = watch("dominant_answer");
    const right = (i: number) => {
      const made = step(i, { completion: () => ({ parsed_answer: { text: "yes", start: 0, end: 3 } }) });
      return {
        ...made,
        groups: made.groups.map((group) => ({ ...group, answer_type: "closed", answer: "yes" }) as const),
      };
    };
    expect(Array.from({ length: 20 }, (_, i) => alarms.see(right(i))).flat()).toEqual([]);
  });

  it("a few broken forms of odd length, for a correlation with length", () => {
    const alarms = watch("length_over_accuracy");
    const form =
      (broken: number) =>
      ({ tokens }: ObservedCompletion, _: number, i: number) => {
        const odd = i < broken;
        return {
          tokens: odd ? 5 : tokens,
          rewards: { accuracy: i % 2, format: Number(!odd) },
          finish_reason: "stop" as const,
        };
      };
    const seen = (broken: number) =>
      Array.from({ length: 20 }, (_, at) =>
        alarms.see(step(at, { completion: at % 3 === 0 || broken > 1 ? form(broken) : form(0) })),
      );
    expect(
      seen(1)
        .flat()
        .filter(({ subject }) => subject === "format"),
    ).toEqual([]);
    expect(
      seen(2)
        .flat()
        .map(({ event, subject }) => [event, subject]),
    ).toContainEqual(["alarm", "format"]);
  });

  it("cut completions, which are long and wrong, in the correlation with length", () => {
    const alarms = watch("length_over_accuracy");
    const cut = (given: ObservedCompletion, _: number, i: number): Partial<ObservedCompletion> =>
      i < 4 ? { tokens: 200, finish_reason: "length", reward: -1, rewards: { accuracy: 0, format: 0 } } : given;
    expect(Array.from({ length: 20 }, (_, i) => alarms.see(step(i, { completion: cut }))).flat()).toEqual([]);
  });

  it("a step without groups", () => {
    const alarms = watch("entropy_low", { window: 1, threshold: 0.01, clear: 0.02 });
    expect(alarms.see({ ...step(1, metric("policy/entropy", 0)), groups: [] })).toEqual([]);
  });
});
