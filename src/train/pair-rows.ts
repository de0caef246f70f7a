/** The rows of a pair that an algorithm asks for, role by role: which completion, under which prompt. */
import type { Role } from "../algorithms/pairwise/index.ts";
import { countWords, drawLimit, FEWEST_WORDS, limitSentence } from "../answers/length-limits.ts";
import { encodeQuestion } from "../answers/prompts.ts";
import { UserError } from "../core/errors.ts";
import { fold, type RandomKey } from "../core/random.ts";
import type { Example, Prompt } from "../core/records.ts";
import { type ImageCorruptionName, imageCorruptions } from "../data/index.ts";
import type { TrainingContext } from "./context.ts";

/** A pair whose prompt is encoded. */
export interface EncodedPair {
  readonly example: Example;
  readonly prompt: Prompt;
  readonly chosen: PairCompletion;
  readonly rejected: PairCompletion;
  /** Of the pair and the epoch: what is drawn for it is the same for policy and reference. */
  readonly key: RandomKey;
}

export interface PairCompletion {
  readonly text: string;
  readonly tokenIds: Int32Array;
}

/** Completions of one prompt, each in a role. */
export interface RoleRows {
  readonly prompt: Prompt;
  readonly rows: readonly { readonly role: Role; readonly tokenIds: Int32Array }[];
}

export interface RowOptions {
  readonly corrupt: ImageCorruptionName;
  /** Examples whose images may stand in for another's. */
  readonly others: readonly Example[];
}

type RowContext = Pick<TrainingContext, "processor" | "prompt">;

/** How a role's row differs from the pair's own: null for a pair that has none. */
interface RoleRow {
  readonly completion: "chosen" | "rejected";
  /** Absent: the pair's own prompt. */
  readonly prompt?: (context: RowContext, pair: EncodedPair, o: RowOptions) => Promise<Prompt>;
  /** Whether a text can stand in this role; absent: any can. */
  readonly suits?: (text: string) => boolean;
}

const isLongEnough = (text: string) => countWords(text) >= FEWEST_WORDS;

const roleRows: Readonly<Record<Role, RoleRow>> = {
  chosen: { completion: "chosen" },
  rejected: { completion: "rejected" },
  chosen_corrupted: {
    completion: "chosen",
    async prompt({ processor, prompt }, { example, key }, { corrupt, others }) {
      if (example.images.length === 0) throw new UserError(`example "${example.id}" has no image to corrupt`);
      const images = await imageCorruptions[corrupt](example, fold(key, "corrupt"), others);
      return encodeQuestion(processor, { ...example, images }, prompt);
    },
  },
  chosen_violated: {
    completion: "chosen",
    suits: isLongEnough,
    prompt: (context, pair) => limited(context, pair, pair.chosen.text, false),
  },
  rejected_satisfied: {
    completion: "rejected",
    suits: isLongEnough,
    prompt: (context, pair) => limited(context, pair, pair.rejected.text, true),
  },
};

/** Whether a pair of texts has a row in every role. */
export function hasRows(roles: readonly Role[], texts: Readonly<Record<"chosen" | "rejected", string>>): boolean {
  return roles.every((role) => roleRows[role].suits?.(texts[roleRows[role].completion]) ?? true);
}

/** The rows of a pair; those with the pair's own prompt share it. */
export async function rowsOf(
  context: RowContext,
  roles: readonly Role[],
  pair: EncodedPair,
  o: RowOptions,
): Promise<readonly RoleRows[]> {
  const row = (role: Role) => ({ role, tokenIds: pair[roleRows[role].completion].tokenIds });
  const plain = roles.filter((role) => roleRows[role].prompt === undefined);
  const others = roles.flatMap((role) => {
    const { prompt } = roleRows[role];
    return prompt === undefined ? [] : [prompt(context, pair, o).then((made) => ({ prompt: made, rows: [row(role)] }))];
  });
  return [{ prompt: pair.prompt, rows: plain.map(row) }, ...(await Promise.all(others))];
}

/** The question with a limit of length that the text keeps or breaks. */
function limited(
  { processor, prompt }: RowContext,
  { example, key }: EncodedPair,
  text: string,
  isKept: boolean,
): Promise<Prompt> {
  const own = fold(key, isKept ? "satisfied" : "violated");
  const limit = drawLimit(text, isKept, own);
  if (limit === null) throw new Error(`internal: a limit for ${countWords(text)} words`);
  const question = `${example.question} ${limitSentence(limit, own)}`;
  return encodeQuestion(processor, { ...example, question }, prompt);
}
