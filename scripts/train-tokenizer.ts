/**
 * Trains the byte-level BPE of assets/viva-tiny. The same data give the same files, byte for byte.
 * usage: npx tsx scripts/train-tokenizer.ts --out assets/viva-tiny --vocabulary 2048 \
 *          --slake ../shared/data/slake --vqa-rad ../shared/data/vqa_rad
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Tokenizer as Backend } from "@huggingface/tokenizers";
import { UserError } from "../src/core/errors.ts";
import { writeFileAtomic } from "../src/io/files.ts";
import { loadTokenizer } from "../src/io/tokenizer.ts";
import { BYTE_ALPHABET, trainBytePairs } from "./tokenizer/bpe.ts";
import { type CountedText, loadCorpus } from "./tokenizer/corpus.ts";
import { chatTemplate, SPECIAL_TOKENS, tokenizerConfig, tokenizerJson } from "./tokenizer/files.ts";

/** Equal to max_position_embeddings of assets/viva-tiny/config.json. */
const MAX_LENGTH = 2048;

try {
  await main();
} catch (error) {
  const badArguments = /^ERR_PARSE_ARGS/.test((error as NodeJS.ErrnoException).code ?? "");
  if (!(error instanceof UserError || badArguments)) throw error;
  console.error((error as Error).message);
  process.exitCode = 2;
}

async function main(): Promise<void> {
  const { out, vocabulary, slake, vqaRad } = readArguments();
  const corpus = await loadCorpus({ slake, vqaRad });
  const trained = trainBytePairs(countWords(corpus.texts), vocabulary - SPECIAL_TOKENS.length);
  writeFileAtomic(join(out, "tokenizer.json"), `${JSON.stringify(tokenizerJson(trained), null, 1)}\n`);
  writeFileAtomic(join(out, "tokenizer_config.json"), `${JSON.stringify(tokenizerConfig(MAX_LENGTH), null, 2)}\n`);
  writeFileAtomic(join(out, "chat_template.jinja"), chatTemplate());

  const tokenizer = loadTokenizer(out);
  console.log(`${out}: ${tokenizer.vocabSize} tokens, ${trained.merges.length} merges`);
  for (const [name, questions] of Object.entries(corpus.questions)) {
    const tokens = questions.reduce((sum, question) => sum + tokenizer.encode(question).length, 0);
    console.log(`${name}: ${(tokens / questions.length).toFixed(2)} tokens in a question`);
  }
}

/** Counts of words: normalised, pre-tokenised and byte-encoded as by the tokenizer. */
function countWords(texts: readonly CountedText[]): ReadonlyMap<string, number> {
  const untrained = new Backend(tokenizerJson({ tokens: BYTE_ALPHABET, merges: [] }), {});
  const words = new Map<string, number>();
  for (const { text, count } of texts) {
    const normalised = untrained.normalizer!.normalize(text);
    for (const word of untrained.pre_tokenizer!.pre_tokenize(normalised)) {
      words.set(word, (words.get(word) ?? 0) + count);
    }
  }
  return words;
}

function readArguments(): { out: string; vocabulary: number; slake: string; vqaRad: string } {
  const option = { type: "string" } as const;
  const { values } = parseArgs({ options: { out: option, vocabulary: option, slake: option, "vqa-rad": option } });
  const require = (name: keyof typeof values) => {
    const value = values[name];
    if (value === undefined) throw new UserError(`train-tokenizer: --${name} is missing`);
    return value;
  };
  const vocabulary = Number(require("vocabulary"));
  const least = BYTE_ALPHABET.length + SPECIAL_TOKENS.length;
  if (!Number.isInteger(vocabulary) || vocabulary < least) {
    throw new UserError(`train-tokenizer: --vocabulary must be a whole number of at least ${least}`);
  }
  return { out: require("out"), vocabulary, slake: require("slake"), vqaRad: require("vqa-rad") };
}
