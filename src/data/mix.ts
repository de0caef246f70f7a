/** Several data sets as one, in shares that their weights say. */
import * as z from "zod";
import { UserError } from "../core/errors.ts";
import { number, oneOf, openMapping, text, whole } from "../core/fields.ts";
import { permutation, randomKey } from "../core/random.ts";
import type { Example } from "../core/records.ts";
import { type Dataset, readOwn, splitName, withOptions } from "./dataset.ts";

/** A set of a mix: as a recipe names data, with its weight; further keys are the set's own options. */
const part = openMapping({
  name: text("the name of a data set"),
  path: text("a folder or a file").optional(),
  split: text("the name of a split").optional(),
  limit: whole({ min: 1 }).optional(),
  weight: number({ above: 0 }).default(1),
});

type Part = z.output<typeof part>;

const options = {
  sets: z
    .array(part, { error: "a list of data sets" })
    .min(2, { error: "a list of at least two data sets" })
    .describe("Data sets with their weights."),
  repeat: oneOf("fewest", "all")
    .default("all")
    .describe(
      "all: every example of every set is there, those of too small a set several times; fewest: none is repeated.",
    ),
};

/** `find` gives the data set of a name. */
export function mixOf(find: (name: string) => Dataset): Dataset {
  return withOptions(options, {
    name: "mix",
    description: "several data sets as one, in shares that weights say",
    licence: "those of its sets",
    isOwn: true,
    runsModule: (own) => {
      const { sets } = readOwn("mix", options, own);
      return sets.some(({ name }) => name !== "mix" && find(name).runsModule?.({}) === true); // a mix holds no mix
    },
    obtain:
      "name the sets with their weights: { name: mix, sets: [{ name: slake, path: …, weight: 2 }, { name: phantom }] }",

    async load({ split, seed = 0, limit }, { sets, repeat }) {
      const loaded: (readonly Example[])[] = [];
      for (const [i, own] of sets.entries()) loaded.push(await loadPart(find, own, i, { split, seed }));
      const counts = shares(
        loaded.map(({ length }) => length),
        sets.map(({ weight }) => weight),
        repeat,
      );
      const mixed = loaded.flatMap((examples, i) => drawn(examples, counts[i]!, randomKey(seed, "mix", i)));
      const order = permutation(randomKey(seed, "mix"), mixed.length);
      const chosen = limit === undefined ? order : order.slice(0, limit).sort();
      return (limit === undefined ? mixed : Array.from(chosen, (at) => mixed[at]!)).map((example) => ({
        ...example,
        meta: { ...example.meta, split: splitName(split) },
      }));
    },
  });
}

/** How many examples of each set: in the proportion of the weights, by repeating the smaller or by leaving some of the larger out. */
export function shares(
  sizes: readonly number[],
  weights: readonly number[],
  repeat: "fewest" | "all",
): readonly number[] {
  const perWeight = sizes.map((size, i) => size / weights[i]!);
  const unit = repeat === "all" ? Math.max(...perWeight) : Math.min(...perWeight);
  return weights.map((weight) => Math.max(1, Math.round(weight * unit)));
}

async function loadPart(
  find: (name: string) => Dataset,
  { name, path, split: own, limit, weight: _, ...more }: Part,
  index: number,
  { split, seed }: { readonly split: string | undefined; readonly seed: number },
): Promise<readonly Example[]> {
  if (name === "mix") throw new UserError('dataset "mix": a mix holds no mix');
  const set = find(name);
  const examples = await set.load({
    ...(path === undefined ? {} : { path }),
    ...((own ?? split) === undefined ? {} : { split: (own ?? split)! }),
    ...(limit === undefined ? {} : { limit }),
    seed,
    own: readOwn(name, set.options ?? {}, more),
  });
  if (examples.length === 0) throw new UserError(`dataset "mix": set ${index + 1}, ${name}, has no examples`);
  const source = `${name}-${index + 1}`;
  return examples.map((example) => ({
    ...example,
    id: `${source}/${example.id}`,
    meta: { ...example.meta, source },
  }));
}

/** Whole rounds of a set, and of the last one a random part, in the set's order. */
function drawn(examples: readonly Example[], count: number, key: ReturnType<typeof randomKey>): readonly Example[] {
  const rounds = Math.floor(count / examples.length);
  const rest = permutation(key, examples.length)
    .slice(0, count % examples.length)
    .sort();
  return [...Array.from({ length: rounds }, () => examples).flat(), ...Array.from(rest, (at) => examples[at]!)];
}
