/** Every probe on a policy scripted by the test, so that each figure is known exactly. */
import { describe, expect, it } from "vitest";
import type { Example } from "../../src/core/records.ts";
import { loadDataset } from "../../src/data/index.ts";
import type { Attack } from "../../src/evaluate/probes/probe.ts";
import type { Reward } from "../../src/rewards/index.ts";
import { completion, estimate, example, probed, type Script } from "./scripted.ts";

const ids = ["a", "b", "c", "d"];
const four = ids.map((id, i) => example(id, { answer: i < 2 ? "yes" : "no" }));
const yes: Script = (shown) => completion(shown, "There is a nodule.", "yes");
const nameOf = (text: string) => /nodule in (\w)/.exec(text)![1]!;
/** Whether the image is the question's own, unchanged. */
const isOwn: (examples: readonly Example[]) => (shown: Parameters<Script>[0]) => boolean = (examples) => {
  const own = new Map(examples.map(({ id, images }) => [id, images[0]!] as const));
  return ({ text, images }) => {
    const wanted = own.get(nameOf(text))!;
    return Buffer.from(wanted.pixels!.data).equals(Buffer.from(images[0]!.pixels!.data));
  };
};

describe("a constant policy", () => {
  const facts = { modality: "x-ray", organ: "chest", findings: [{ finding: "nodule", side: "left" }] };
  const choices = ["left", "right", "both", "none"];
  const questions = [
    ...four.map((one) => ({ ...one, facts, rationale: "There is a nodule." })),
    example("e", { question: "Is there a nodule in the left lung?", facts }),
    example("f", { question: "Which side shows the nodule?", answer: "left", answerType: "open", facts }),
    example("g", { question: "Where is it?", answer: "left", answerType: "choice", choices }),
  ];

  it("never flips, loses no accuracy, and is consistent in every order", async () => {
    const constant: Script = (shown) => completion(shown, "There is a nodule.", "left, yes");
    const { measures, results } = await probed([], questions, constant);
    expect(results.filter(({ skipped }) => skipped !== null).map(({ probe }) => probe)).toEqual(["judge"]);
    const flips = measures.filter(({ name }) => name === "flip_rate");
    expect(flips.length).toBeGreaterThan(14);
    expect(flips.map(({ interval }) => [interval!.estimate, interval!.low, interval!.high])).toEqual(
      flips.map(() => [0, 0, 0]),
    );
    const zero = measures.filter(({ name }) => ["accuracy_change", "grounding"].includes(name));
    for (const { interval, condition } of zero) {
      if (!condition?.startsWith("mirrored")) expect(interval).toMatchObject({ estimate: 0, low: 0, high: 0 });
    }
    expect(estimate(measures, "same_option", "in all orders")).toBe(1);
    expect(estimate(measures, "consistent")).toBe(1);
    expect(estimate(measures, "same_answer", "blank image")).toBe(1);
    expect(estimate(measures, "flips", "mirrored")).toBe(0);
  });
});

describe("adversarial", () => {
  it("measures each ε against the plain answers, and says why it cannot", async () => {
    const epsilons: number[] = [];
    const attack: Attack = async (one, { epsilon, alpha, steps }) => {
      epsilons.push(Math.round(255 * epsilon));
      expect([alpha <= epsilon, steps]).toEqual([true, 5]);
      const dark = one.images.map((image) => ({ ...image, pixels: { ...image.pixels!, data: new Uint8Array(12) } }));
      return epsilon > 3 / 255 ? { ...one, images: dark } : one;
    };
    const own = isOwn(four);
    const seesDark: Script = (shown) =>
      completion(shown, "x", shown.images[0]!.pixels!.data.every((v) => v === 0) || !own(shown) ? "maybe" : "yes");
    const { measures } = await probed(["adversarial"], four, seesDark, { attack });
    expect(new Set(epsilons)).toEqual(new Set([1, 2, 4, 8]));
    expect(estimate(measures, "accuracy", "against the model, 2/255")).toBe(0.5);
    expect(estimate(measures, "accuracy_change", "against the model, 4/255")).toBe(-0.5);
    expect(estimate(measures, "flip_rate", "against the model, 8/255")).toBe(1);
    expect(estimate(measures, "accuracy", "random signs, 8/255")).toBe(0);
    const { results } = await probed(["adversarial"], four, yes);
    expect(results[0]!.skipped).toBe("the model is computed elsewhere, or cuts images into frames");
  });
});

describe("form and length_bias", () => {
  it("measures format, lengths, repetition, truncation", async () => {
    const texts: Readonly<Record<string, string>> = {
      a: "<think>x</think><answer>yes</answer>",
      b: "<think>x</think> and so <answer>yes</answer>",
      c: "no nodule here no nodule here",
      d: "<think>one two three four</think><answer>no</answer>",
    };
    const { measures } = await probed(["form", "length_bias"], four, ({ text }) => texts[nameOf(text)]!);
    expect(estimate(measures, "format_rate")).toBe(0.5);
    expect(estimate(measures, "parse_failures")).toBe(0.25);
    expect(estimate(measures, "truncated")).toBe(0);
    expect(estimate(measures, "length_mean")).toBe((1 + 4 + 6 + 4) / 4);
    expect(estimate(measures, "length_median")).toBe(4);
    expect(estimate(measures, "length_p90")).toBe(6);
    // "no nodule here" occurs twice among four trigrams; two others have no repetition, the first has two words.
    expect(estimate(measures, "repetition")).toBeCloseTo(0.25 / 3, 12);
    // Correct: a, b, d with lengths 1, 4, 4; wrong: c with 6.
    const [x, y] = [
      [1, 1, 0, 1],
      [1, 4, 6, 4],
    ] as const;
    expect(estimate(measures, "accuracy_with_length")).toBeCloseTo(pearson(x, y), 12);
  });

  it("has no correlation without variation", async () => {
    const { measures } = await probed(["length_bias"], four.slice(0, 2), yes);
    expect(estimate(measures, "accuracy_with_length")).toBeNull();
  });
});

describe("answer_prior", () => {
  it("compares the rate of yes with the truth", async () => {
    const { measures } = await probed(["answer_prior"], four, yes);
    expect(estimate(measures, "yes_rate")).toBe(1);
    expect(estimate(measures, "true_yes_rate")).toBe(0.5);
    expect(estimate(measures, "yes_bias")).toBe(0.5);
    expect(estimate(measures, "accuracy", "truth is yes")).toBe(1);
    expect(estimate(measures, "accuracy", "truth is no")).toBe(0);
  });
});

describe("image_grounding and question_only", () => {
  const own = isOwn(four);
  const looks: Script = (shown) => {
    const truth = ["a", "b"].includes(nameOf(shown.text)) ? "yes" : "no";
    return completion(shown, "x", own(shown) ? truth : "yes");
  };

  it("measures how much the image helps", async () => {
    const { measures } = await probed(["image_grounding", "question_only"], four, looks, { train: four });
    expect(estimate(measures, "accuracy", "right image")).toBe(1);
    expect(estimate(measures, "grounding", "blank image")).toBe(0.5);
    expect(estimate(measures, "grounding", "wrong image")).toBe(0.5);
    expect(estimate(measures, "same_answer", "blank image")).toBe(0.5);
    expect(estimate(measures, "right_without_image", "of right answers")).toBe(0.5);
    expect(estimate(measures, "accuracy", "most frequent training answer")).toBe(1);
    expect(estimate(measures, "over_training_answers", "blank image")).toBe(-0.5);
  });

  it("uses blank images of the mean colour, and another subject's of the same modality, and asks each variant once", async () => {
    const modalities = ["CT", "MRI", "ct", "MRI"];
    const mixed = four.map((one, i) => ({ ...one, meta: { modality: modalities[i]! } }));
    const shown: string[] = [];
    const { answers } = await probed(["image_grounding", "question_only"], mixed, (prompt) => {
      shown.push(`${nameOf(prompt.text)} ${prompt.images[0]!.path}`);
      return yes(prompt);
    });
    expect([...answers.keys()]).toEqual(["plain", "blank image", "wrong image"]);
    expect(shown.slice(8).sort()).toEqual(["a c.png", "b d.png", "c a.png", "d b.png"]);
    expect(shown.slice(4, 8).sort()).toEqual(ids.map((id) => `${id} ${id}.png (blank)`));
  });
});

describe("noise, contrast, quantized, decoding", () => {
  it("count the flips at every level", async () => {
    const script: Script = (shown) => {
      const path = shown.images[0]!.path;
      const isMoved = /noise 0.1|contrast 0.5/.test(path) || shown.weights === "int4" || shown.temperature === 1;
      return completion(shown, "x", isMoved && nameOf(shown.text) === "a" ? "no" : "yes");
    };
    const { measures } = await probed(["noise", "contrast", "quantized", "decoding"], four, script);
    const rates = measures.filter(({ name }) => name === "flip_rate");
    expect(rates.map(({ condition, interval }) => [condition, interval!.estimate])).toEqual([
      ["noise 0.02", 0],
      ["noise 0.05", 0],
      ["noise 0.1", 0.25],
      ["contrast 0.5", 0.25],
      ["contrast 0.75", 0],
      ["contrast 1.5", 0],
      ["int8 weights", 0],
      ["int4 weights", 0.25],
      ["temperature 0.3", 0],
      ["temperature 0.7", 0],
      ["temperature 1", 0.25],
    ]);
    expect(estimate(measures, "accuracy_change", "int4 weights")).toBe(-0.25);
    expect(estimate(measures, "accuracy", "int4 weights")).toBe(0.25);
  });

  it("counts bad and good flips by dose, and names the dose where accuracy bleeds", async () => {
    const many = Array.from({ length: 40 }, (_, i) => example(`q${i}`, { answer: i % 2 === 0 ? "yes" : "no" }));
    const script: Script = (shown) => {
      const i = Number(/nodule in q(\d+)/.exec(shown.text)![1]);
      const [, method, dose] = /^(\w+) ([\d.]+)$/.exec(shown.weights) ?? [];
      const right = i % 2 === 0 ? "yes" : "no";
      const other = right === "yes" ? "no" : "yes";
      const knows = i % 4 !== 3; // every fourth is wrong as it is
      if (method === "magnitude" && Number(dose) >= 0.5) return completion(shown, "x", knows ? other : right);
      return completion(shown, "x", knows ? right : other);
    };
    const { measures } = await probed(["hemorrhage"], many, script);
    const bled = "50 % pruned by magnitude";
    expect(estimate(measures, "flip_rate", bled)).toBe(1);
    expect(estimate(measures, "bad_flips", bled)).toBe(0.75);
    expect(estimate(measures, "good_flips", bled)).toBe(0.25);
    expect(estimate(measures, "accuracy_change", bled)).toBe(-0.5);
    expect(estimate(measures, "flip_rate", "40 % pruned by magnitude")).toBe(0);
    expect(estimate(measures, "bleeding_point", "pruned by magnitude")).toBe(0.5);
    expect(estimate(measures, "bleeding_point", "pruned by random")).toBeNull();
    for (const { name, condition } of measures.filter(({ name }) => name === "accuracy_change")) {
      const change = estimate(measures, name, condition)!;
      const [good, bad] = [estimate(measures, "good_flips", condition)!, estimate(measures, "bad_flips", condition)!];
      expect(change).toBeCloseTo(good - bad, 12);
      expect(estimate(measures, "flip_rate", condition)!).toBeGreaterThanOrEqual(Math.abs(change));
    }
  });

  it("says so where the weights are not available", async () => {
    const { results } = await probed(["quantized"], four, yes, { openChanged: null });
    expect(results[0]).toMatchObject({ skipped: "the weights are not available", measures: [] });
  });
});

describe("option_position", () => {
  const choices = ["mass", "cyst", "stone"];
  const two = ["a", "b"].map((id) => {
    return example(id, { question: "What is it?", answer: "stone", answerType: "choice", choices, answerIndex: 2 });
  });

  it("detects a policy that always chooses the first", async () => {
    const { measures } = await probed(["option_position"], two, (shown) => completion(shown, "x", "A"));
    expect(["A", "B", "C"].map((l) => estimate(measures, "accuracy", `right option at ${l}`))).toEqual([1, 0, 0]);
    expect(estimate(measures, "chosen_over_chance", "letter A")).toBeCloseTo(2 / 3, 12);
    expect(estimate(measures, "chosen_over_chance", "letter C")).toBeCloseTo(-1 / 3, 12);
    expect(estimate(measures, "same_option", "in all orders")).toBe(0);
  });

  it("and one that knows the answer", async () => {
    const knows: Script = (shown) => completion(shown, "x", /([A-C])\. stone/.exec(shown.text)![1]!);
    const { measures } = await probed(["option_position"], two, knows);
    expect(["A", "B", "C"].map((l) => estimate(measures, "accuracy", `right option at ${l}`))).toEqual([1, 1, 1]);
    expect(estimate(measures, "chosen_over_chance", "letter B")).toBeCloseTo(0, 12);
    expect(estimate(measures, "same_option", "in all orders")).toBe(1);
  });
});

describe("paraphrase", () => {
  it("rephrases only questions that match a rule", async () => {
    const questions = [
      example("a", { question: "Is there a nodule?" }),
      example("b", { question: "Is there a cyst?" }),
      example("c", { question: "Why?" }),
    ];
    const asked: string[] = [];
    const { measures } = await probed(["paraphrase"], questions, (shown) => {
      const [question] = shown.text.split("\n");
      asked.push(question!);
      return completion(shown, "x", question === "Does this image show a cyst?" ? "no" : "yes");
    });
    expect(asked.slice(3).sort()).toEqual(["Does this image show a cyst?", "Does this image show a nodule?"]);
    expect(estimate(measures, "has_rule")).toBeCloseTo(2 / 3, 12);
    expect(estimate(measures, "consistent")).toBe(0.5);
    expect(estimate(measures, "accuracy_change")).toBe(-0.5);
  });
});

describe("mirror", () => {
  it("on phantom_world, a policy that reads the facts flips exactly where the truth does", async () => {
    const examples = await loadDataset({ name: "phantom_world", split: "test", limit: 130, seed: 3 });
    const byPath = new Map(examples.map((one) => [one.images[0]!.path, one] as const));
    const sides = (text: string) => text.replace(/\b(left|right)\b/g, (side) => (side === "left" ? "right" : "left"));
    // Answers a mirrored image as if all sides were swapped: its own reference, flipped where necessary.
    const oracle: Script = (shown) => {
      const path = shown.images[0]!.path;
      const own = byPath.get(path.replace(" (mirrored)", ""))!;
      if (!path.endsWith("(mirrored)")) return completion(shown, "x", own.answer);
      const [question] = shown.text.split("\n");
      const isSameQuestion = question === own.question;
      if (own.answerType !== "closed") return completion(shown, "x", sides(own.answer));
      const turned = own.answer === "yes" ? "no" : "yes";
      return completion(shown, "x", isSameQuestion && / left| right/.test(own.question) ? turned : own.answer);
    };
    const { measures } = await probed(["mirror"], examples, oracle);
    expect(estimate(measures, "flips", "mirrored")).toBe(1);
    expect(estimate(measures, "accuracy", "mirrored")).toBe(1);
    expect(estimate(measures, "same_answer", "mirrored, sides exchanged in the question")).toBe(1);
    expect(estimate(measures, "accuracy", "mirrored, sides exchanged in the question")).toBe(1);
    expect(estimate(measures, "flips", "where the truth turns")).toBe(1);
    const exact = measures.find(({ condition }) => condition === "where the truth turns")!;
    expect(exact.interval!.n).toBeGreaterThan(10);
  });

  it("reports no flips for a policy that always names one side", async () => {
    const left = example("a", { question: "Which side shows the mass?", answer: "left", answerType: "open" });
    const { measures } = await probed(["mirror"], [left], (shown) => completion(shown, "x", "left"));
    expect(estimate(measures, "flips", "mirrored")).toBe(0);
    expect(estimate(measures, "accuracy", "mirrored")).toBe(0);
  });

  it("does not apply where no side is asked about", async () => {
    const { results } = await probed(["mirror"], four, yes);
    expect(results[0]!.skipped).toBe("no question or answer is about left or right");
  });
});

describe("consistency, behaviours", () => {
  it("counts rationales consistent with their answers", async () => {
    const said: Readonly<Record<string, readonly [string, string]>> = {
      a: ["Let me check the lungs. There is a nodule.", "yes"],
      b: ["Wait, there is no nodule.", "yes"],
      c: ["First, the lungs. Then, the heart. No nodule is seen.", "no"],
      d: ["The film is dark.", "yes"],
    };
    const { measures } = await probed(["consistency", "behaviours"], four, (shown) => {
      return completion(shown, ...(said[nameOf(shown.text)]! as [string, string]));
    });
    expect(estimate(measures, "concludes")).toBe(0.75);
    expect(estimate(measures, "consistent", "where it concludes")).toBeCloseTo(2 / 3, 12);
    expect(estimate(measures, "consistent", "where the answer is right")).toBeCloseTo(2 / 3, 12);
    expect(estimate(measures, "consistent", "where the answer is wrong")).toBeNull();
    expect(estimate(measures, "verification_share")).toBe(0.25);
    expect(estimate(measures, "backtracking_share")).toBe(0.25);
    expect(estimate(measures, "sub_goals_share")).toBe(0.25);
    expect(estimate(measures, "sub_goals_count")).toBe(0.5);
  });

  it("do not apply to prompts without reasoning", async () => {
    for (const style of ["answer_only", "plain"] as const) {
      const { results } = await probed(["consistency", "behaviours", "faithfulness"], four, () => "yes", { style });
      expect(results.map(({ skipped }) => typeof skipped)).toEqual(["string", "string", "string"]);
    }
  });
});

describe("faithfulness", () => {
  const findings = [{ finding: "nodule", side: "left" }];
  const facts = { modality: "x-ray", organ: "chest", findings };
  const questions = ids.map((id) => example(id, { facts }));
  const thought = (id: string) => `Film ${id} is dark. There is a nodule in the left lung.`;

  const known = { facts: { facts }, "a reference rationale": { rationale: "A nodule lies in the left lung." } };
  it.each(Object.entries(known))(
    "detects a policy that answers from its thought, with truth from %s",
    async (_, more) => {
      const questions = ids.map((id) => example(id, more));
      const reads: Script = (shown) => {
        const given = shown.prefix === "" ? thought(nameOf(shown.text)) : shown.prefix;
        return completion(shown, thought(nameOf(shown.text)), /nodule in the left/.test(given) ? "yes" : "no");
      };
      const { measures } = await probed(["faithfulness"], questions, reads);
      const rate = (condition: string) => estimate(measures, "flip_rate", condition);
      const kept = [0, 25, 50, 75, 100].map((share) => rate(`${share} % of the thought`));
      expect(kept).toEqual([1, 1, 1, 1, 0]); // of twelve words, "left" is the eleventh, cut at 75 %
      expect(rate("another question's thought")).toBe(0); // all thoughts say the same about the nodule
      expect(rate("a true claim negated")).toBe(1);
      expect(estimate(measures, "accuracy_change", "a true claim negated")).toBe(-1);
    },
  );

  it("prefills the policy's own completion up to the answer, and another's", async () => {
    const prefixes: string[] = [];
    await probed(["faithfulness"], questions, (shown) => {
      if (shown.prefix !== "") prefixes.push(shown.prefix);
      return completion(shown, thought(nameOf(shown.text)), "yes");
    });
    expect(prefixes).toHaveLength(4 * 7);
    expect(prefixes.slice(0, 4)).toEqual(ids.map(() => "<think></think><answer>"));
    expect(prefixes.slice(8, 12).sort()).toEqual(
      ids.map((id) => `<think>Film ${id} is dark. There is</think><answer>`),
    );
    expect(prefixes.slice(24)).toContain("<think>Film a is dark. There is a nodule in the right lung.</think><answer>");
    const own = ids.map((id) => `<think>${thought(id)}</think><answer>`);
    expect(prefixes.slice(16, 20).sort()).toEqual(own);
    expect(prefixes.slice(20, 24).sort()).toEqual(own);
    expect(prefixes.slice(20, 24)).not.toEqual(prefixes.slice(16, 20));
  });
});

describe("facts and semantic", () => {
  const facts = { modality: "x-ray", organ: "chest", findings: [{ finding: "nodule", side: "left" }] };
  const rationale = "There is a nodule in the left lung.";
  const two = ["a", "b"].map((id) => example(id, { facts, rationale }));
  const script: Script = (shown) => {
    const said = nameOf(shown.text) === "a" ? rationale : "There is a pleural effusion.";
    return completion(shown, said, "yes");
  };

  it("check claims and concepts", async () => {
    const { measures } = await probed(["facts", "semantic"], two, script);
    expect(estimate(measures, "claims")).toBe(1.5); // finding and side; finding
    expect(estimate(measures, "precision")).toBe(0.5);
    expect(estimate(measures, "hallucination_rate")).toBe(0.5);
    expect(estimate(measures, "recall")).toBe((2 / 4 + 0) / 2); // modality, organ, nodule, its side
    expect(estimate(measures, "concept_f1")).toBe(0.5);
  });

  it("report an encoder's similarity and the untuned model's perplexity", async () => {
    const embedding: Reward = {
      name: "semantic",
      score: (_, all) => all.map(({ text }) => (/left/.test(text) ? 1 : 0)),
    };
    const lengths: number[] = [];
    const untuned = {
      policy: {
        logProbs: async (groups: readonly { readonly completions: readonly { readonly tokenIds: Int32Array }[] }[]) => {
          const tokens = groups.map(({ completions }) => completions[0]!.tokenIds);
          lengths.push(...tokens.map(({ length }) => length));
          return { logProbs: tokens.map((ids) => new Float32Array(ids.length).fill(-Math.log(4))), entropies: [] };
        },
      },
      processor: {
        encode: async () => ({ text: "", tokenIds: new Int32Array(1), images: [] }),
        encodeCompletion: (text: string) => new Int32Array(text.split(" ").length + 1),
      },
      prompt: { style: "think_answer", system: null, user: "{question}" },
    };
    const tools = { semantic: { embedding, untuned } };
    const { measures } = await probed(["semantic"], two, script, { tools });
    expect(estimate(measures, "embedding_similarity")).toBe(0.5);
    expect(estimate(measures, "perplexity_untuned")).toBeCloseTo(4, 5);
    expect(lengths).toEqual([8, 5]); // words of the two rationales, without the end of the turn
  });
});

describe("judge", () => {
  const judge: Reward = {
    name: "semantic",
    score: (_, all) => all.map(({ text }) => (/unsure/.test(text) ? null : /nodule/.test(text) ? 1 : 0)),
  };

  it("reports the verdict and the judge's agreement with people", async () => {
    const rows = [
      ["a nodule", true],
      ["a nodule", true],
      ["a nodule", false],
      ["nothing", false],
      ["unsure", true],
    ] as const;
    const calibration = rows.map(([text, sound], i) => {
      return { example: example(`${i}`), completion: `<think>${text}</think><answer>yes</answer>`, sound };
    });
    const script: Script = (shown) => completion(shown, nameOf(shown.text) === "a" ? "a nodule" : "dark", "yes");
    const tools = { judge: { judge: { reward: judge, calibration } } };
    const { measures } = await probed(["judge"], four, script, { tools });
    const on = "calibration set";
    expect(estimate(measures, "sound")).toBe(0.25);
    expect(estimate(measures, "judge_readable", on)).toBe(0.8);
    expect(estimate(measures, "judge_agreement", on)).toBe(0.75);
    expect(estimate(measures, "judge_kappa", on)).toBeCloseTo(0.5, 12); // (3/4 − 1/2) / (1 − 1/2)
    expect(estimate(measures, "judge_leniency", on)).toBe(0.25);
  });
});

describe("naming probes", () => {
  it("suggests the nearest for an unknown name", async () => {
    await expect(probed(["miror"], four, yes)).rejects.toThrow(/unknown probe "miror" \(did you mean "mirror"\?\)/);
  });
});

function pearson(x: readonly number[], y: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const sum = (f: (i: number) => number) => x.reduce((total, _, i) => total + f(i), 0);
  return (
    sum((i) => (x[i]! - mx) * (y[i]! - my)) / Math.sqrt(sum((i) => (x[i]! - mx) ** 2) * sum((i) => (y[i]! - my) ** 2))
  );
}
