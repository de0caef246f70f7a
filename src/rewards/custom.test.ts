import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { RunError, UserError } from "../core/errors.ts";
import type { Completion, Example } from "../core/records.ts";
import { buildRewards, rewardsAt, scoreGroup } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "viva-modules-"));
afterAll(() => rmSync(folder, { recursive: true }));

function module(name: string, source: string): string {
  const path = join(folder, name);
  writeFileSync(path, source);
  return path;
}

const example: Example = {
  id: "e1",
  subjectId: "s1",
  question: "?",
  images: [],
  answer: "yes",
  answerType: "closed",
  choices: [],
  meta: {},
};
const texts = ["short", "somewhat longer"].map(
  (text): Completion => ({
    tokenIds: new Int32Array(1),
    logProbs: new Float32Array(1),
    text,
    finishReason: "stop",
    policyVersion: 0,
  }),
);

async function score(path: string, options: object = {}) {
  const built = await buildRewards({ mine: { weight: 2, module: path, ...options } });
  return scoreGroup(rewardsAt(built, 0), example, texts);
}

describe("a reward of one's own", () => {
  it("is a function of its options in TypeScript", async () => {
    const path = module(
      "brevity.ts",
      `interface Options { readonly limit: number }
       export default ({ limit }: Options, context: { maxCompletionLength?: number }) => ({
         range: [0, 1],
         score: (_: unknown, all: readonly { text: string }[]): number[] => all.map(({ text }) => Number(text.length < limit)),
         evidence: (_: unknown, all: readonly { text: string }[]) =>
           all.map(() => [{ reward: "x", start: 0, end: 1, label: "first", verdict: true }]),
       });`,
    );
    expect(await score(path, { limit: 8 })).toEqual({ rewards: { mine: [1, 0] }, reward: [2, 0] });
    const [built] = await buildRewards({ mine: { weight: 1, module: path, limit: 8 } });
    expect(built!.reward.evidence!(example, texts)[0]![0]!.reward).toBe("mine");
  });

  it("or an object in JavaScript, by the name reward", async () => {
    const path = module("plain.mjs", "export const reward = { score: (e, all) => all.map(() => null) };");
    expect(await score(path)).toEqual({ rewards: { mine: [null, null] }, reward: [null, null] });
  });

  it.each([
    ["missing.js", null, /no such file/],
    ["reward.json", "{}", /must be a file ending in .ts, .mts, .js, .mjs/],
    ["syntax.mjs", "export default (", /module .*syntax.mjs: /],
    ["throws.mjs", "throw new Error('no licence')", /throws.mjs: no licence/],
    ["empty.mjs", "export const other = 1;", /exports neither default nor reward/],
    ["number.mjs", "export default 5;", /must give a reward, an object with score; got number/],
    ["scoreless.mjs", "export default () => ({ name: 'x' });", /has no function score/],
    ["range.mjs", "export default { range: [1, 0], score: () => [] };", /range must be two numbers/],
    ["factory.mjs", "export default ({ a }) => { throw new Error('a is missing'); };", /factory.mjs: a is missing/],
  ])("is refused for %s", async (name, source, message) => {
    const path = source === null ? join(folder, name) : module(name, source);
    await expect(buildRewards({ mine: { weight: 1, module: path } })).rejects.toThrow(UserError);
    await expect(buildRewards({ mine: { weight: 1, module: path } })).rejects.toThrow(message);
  });

  it("names the line of an import that finds nothing, whoever writes it", async () => {
    const inner = module("inner.mjs", "// it\n// is\nimport x from './gone.mjs';\nexport const f = x;");
    const cases = [
      [module("outer.mjs", "import { f } from './inner.mjs';\nexport default { score: f };"), `${inner}, line 3`],
      [module("lone.mjs", "\nimport x from 'no-such-package';\nexport default { score: x };"), "line 2"],
      [module("typed.ts", "\n\nimport x from './gone.ts';\nexport default { score: x };"), "line 3"],
    ] as const;
    for (const [path, place] of cases) {
      const made = buildRewards({ mine: { weight: 1, module: path } });
      await expect(made).rejects.toThrow(new RegExp(`Cannot find (module|package) '[^']+' \\(${place}\\)$`));
    }
  });

  it("names the line that threw, in the module or in one that it imports", async () => {
    const inner = module("thrower.mjs", "\n\nexport const g = () => { throw new Error('deep'); };");
    const path = module("caller.mjs", "import { g } from './thrower.mjs';\nexport default { score: () => [g()] };");
    await expect(score(path)).rejects.toThrow(`deep (${inner}, line 3)`);
    const own = module("own.mjs", "export default {\n  score: () => {\n    throw new Error('near');\n  } };");
    await expect(score(own)).rejects.toThrow("near (line 3)");
  });

  it("takes options only where it is a function", async () => {
    const path = module("object.mjs", "export default { score: (e, all) => all.map(() => 0) };");
    await expect(score(path, { limit: 3 })).rejects.toThrow(/takes no options, got limit/);
  });

  it.each([
    [
      "late.mjs",
      "export default { score: () => { throw new Error('boom'); } };",
      /reward "mine" of .*late.mjs failed: boom/,
    ],
    ["kind.mjs", "export default { score: () => 1 };", /score must give a list of numbers and nulls, got number/],
    ["few.mjs", "export default { score: () => [1] };", /gave 1 values for 2 completions/],
    ["text.mjs", "export default { score: () => ['1', '2'] };", /gave "1", a string, for completion 0/],
    ["later.mjs", "export default { score: async () => [Promise.resolve(1), 2] };", /gave a promise, which .* await/],
    ["outside.mjs", "export default { range: [0, 1], score: () => [0, 2] };", /gave 2 .* outside \[0, 1\]/],
  ])("stops the run where %s breaks the promise", async (name, source, message) => {
    const path = module(name, source);
    await expect(score(path)).rejects.toThrow(RunError);
    await expect(score(path)).rejects.toThrow(message);
  });

  it("is never looked for by a name alone", async () => {
    await expect(buildRewards({ "brevity.ts": 1 })).rejects.toThrow(/unknown reward .*one of your own needs module/);
    await expect(buildRewards({ mine: { weight: 1, module: "some-package" } })).rejects.toThrow(
      /must be a file ending in/,
    );
  });
});
