/** A medical vocabulary: concepts with their terms, abbreviations, and the triggers of negation, read from plain JSON. */
import { z } from "zod";
import { UserError } from "../../core/errors.ts";
import { sentences, singular, type Token } from "./tokens.ts";

export const categories = ["finding", "disease", "organ", "modality"] as const;
export type Category = (typeof categories)[number];

/** What a trigger does: denies or doubts what follows or what precedes it, ends that, or does nothing at all (pseudo). */
export const triggerKinds = ["before", "after", "maybe_before", "maybe_after", "pseudo", "end"] as const;
export type TriggerKind = (typeof triggerKinds)[number];

export interface Concept {
  readonly id: string;
  readonly category: Category;
  /** A single organ: a side before it belongs to what follows ("left brain tumor"). */
  readonly single: boolean;
  /** Never takes a side. */
  readonly sideless: boolean;
}

/** A tree of words; `value` at a node ends an entry. */
export interface Trie<T> {
  readonly next: Map<string, Trie<T>>;
  value?: T;
}

export interface Vocabulary {
  readonly concepts: readonly Concept[];
  /** By singular words. */
  readonly terms: Trie<Concept>;
  /** By words as they are. */
  readonly triggers: Trie<TriggerKind>;
  readonly expansions: ReadonlyMap<string, readonly string[]>;
  /** Singular words that may stand inside a term. */
  readonly skipped: ReadonlySet<string>;
}

const terms = z.record(z.string().min(1), z.array(z.string().min(1)));
const phrases = z.array(z.string().min(1)).default([]);

/** The file's form; docs/rewards.md describes it. */
export const vocabularySchema = z.strictObject({
  format: z.literal("viva-vocabulary-1"),
  sources: z.array(z.strictObject({ name: z.string(), licence: z.string(), from: z.string() })).default([]),
  concepts: z.strictObject(Object.fromEntries(categories.map((name) => [name, terms.default({})]))),
  single: phrases,
  sideless: phrases,
  expansions: z.record(z.string().min(1), z.string().min(1)).default({}),
  skipped: phrases,
  triggers: z.strictObject(Object.fromEntries(triggerKinds.map((kind) => [kind, phrases]))),
});

/** Builds the vocabulary of a file's JSON; throws UserError that names the file, and the term that two concepts claim. */
export function parseVocabulary(json: unknown, file: string): Vocabulary {
  const checked = vocabularySchema.safeParse(json);
  if (!checked.success) {
    const issue = checked.error.issues[0]!;
    throw new UserError(`vocabulary ${file}: ${issue.path.join(".") || "the whole file"}: ${issue.message}`);
  }
  const { concepts, single, sideless, expansions, skipped, triggers } = checked.data;
  const all: Concept[] = [];
  const tree = trie<Concept>();
  for (const category of categories) {
    for (const [id, synonyms] of Object.entries(concepts[category]!)) {
      const concept = { id, category, single: single.includes(id), sideless: sideless.includes(id) };
      all.push(concept);
      for (const term of [id, ...synonyms]) addTerm(tree, term, concept, skipped, file);
    }
  }
  const triggerTree = trie<TriggerKind>();
  for (const kind of triggerKinds) {
    for (const phrase of triggers[kind]!)
      insert(
        triggerTree,
        wordsOf(phrase).map(({ word }) => word),
      ).value = kind;
  }
  return {
    concepts: all,
    terms: tree,
    triggers: triggerTree,
    expansions: new Map(Object.entries(expansions).map(([key, to]) => [key, wordsOf(to).map(({ word }) => word)])),
    skipped: new Set(skipped.map(singular)),
  };
}

/** The words by which a term is found: singular, without those that may be skipped. */
export function termStems(term: string, skipped: readonly string[]): readonly string[] {
  return wordsOf(term)
    .filter(({ word }) => !skipped.includes(word))
    .map(({ stem }) => stem);
}

export interface EntryOptions {
  /** Words from here on belong to no entry that begins before. */
  readonly end?: number;
  /** Whether the word at a place may stand inside an entry without being of it. */
  readonly canSkip?: (at: number) => boolean;
}

/** The longest entry that begins at `from`; its own end is exclusive. */
export function longestEntry<T>(
  root: Trie<T>,
  keys: readonly string[],
  from: number,
  { end = keys.length, canSkip = () => false }: EntryOptions = {},
): { readonly value: T; readonly end: number } | null {
  let node = root;
  let found: { readonly value: T; readonly end: number } | null = null;
  let skips = 0;
  for (let i = from; i < end; i++) {
    const next = node.next.get(keys[i]!);
    if (next !== undefined) {
      node = next;
      if (node.value !== undefined) found = { value: node.value, end: i + 1 };
    } else if (i > from && skips < MOST_SKIPPED && canSkip(i)) skips++;
    else break;
  }
  return found;
}

const MOST_SKIPPED = 4;

function addTerm(root: Trie<Concept>, term: string, concept: Concept, skipped: readonly string[], file: string): void {
  const stems = termStems(term, skipped);
  if (stems.length === 0) throw new UserError(`vocabulary ${file}: the term "${term}" of "${concept.id}" has no word`);
  const node = insert(root, stems);
  if (node.value !== undefined && node.value !== concept) {
    throw new UserError(`vocabulary ${file}: "${term}" belongs to "${node.value.id}" and to "${concept.id}"; keep one`);
  }
  node.value = concept;
}

function insert<T>(root: Trie<T>, keys: readonly string[]): Trie<T> {
  let node = root;
  for (const key of keys) {
    const next = node.next.get(key) ?? trie<T>();
    node.next.set(key, next);
    node = next;
  }
  return node;
}

function trie<T>(): Trie<T> {
  return { next: new Map() };
}

function wordsOf(phrase: string): readonly Token[] {
  return sentences(phrase).flat();
}
