/** Files that a checkpoint or a data set brings: for each, how it is mutated and what reads it. */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { UserError } from "../../src/core/errors.ts";
import { randomWeights, readWeights } from "../../src/engine/local/weight-store.ts";
import { blankedDicom } from "../../src/io/dicom/blank.ts";
import { dicomAbout, dicomRange } from "../../src/io/dicom-files.ts";
import { decodeImage, imageSize } from "../../src/io/images.ts";
import { blankedNifti } from "../../src/io/nifti/blank.ts";
import { openSafetensors } from "../../src/io/safetensors.ts";
import { loadTokenizer } from "../../src/io/tokenizer.ts";
import { openWeights, saveWeights } from "../../src/io/weights.ts";
import { isAdapterFolder, readAdapterConfig } from "../../src/models/adapter-files.ts";
import { openModel, openProcessor } from "../../src/models/index.ts";
import { withLora } from "../../src/models/lora.ts";
import { type Draws, mutateBytes, mutateJson } from "./mutate.ts";

export interface Target {
  readonly name: string;
  /** Mutations in the whole check. */
  readonly cases: number;
  /** Writes the files that are not mutated; called once. */
  prepare(folder: string): Promise<void>;
  /** Writes the mutated file of one case. */
  mutate(folder: string, draw: Draws): void;
  /** Reads it as viva does: returns, or throws a UserError. */
  read(folder: string): Promise<void>;
}

/** In a file outside of the folder: a tensor with this value was read where none may be read. */
export const CANARY = 12_345;

const golden = fileURLToPath(new URL("../golden", import.meta.url));
const text = 'Größe: is there  an effusion?\n\t123 4567\u3000日本語 "quoted" it\'s\r\n'.repeat(20);

/** Checkpoint folders of every family that has goldens. */
const checkpoints = readdirSync(golden, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith("checkpoint/config.json"))
  .map((path) => join(golden, path, ".."))
  .sort();

const file = (folder: string, name: string) => readFileSync(join(folder, name), "utf8");

/** Mutates a JSON file of a checkpoint; every case starts from the original of one family's. */
function jsonTarget(
  name: string,
  cases: number,
  read: (folder: string) => Promise<void>,
  extra: readonly unknown[] = [],
): Target {
  const sources = checkpoints.filter((folder) => readdirSync(folder).includes(name));
  const at = (folder: string, i: number) => join(folder, String(i));
  let last = 0;
  return {
    name,
    cases,
    async prepare(folder) {
      for (const [i, source] of sources.entries()) cpSync(source, at(folder, i), { recursive: true });
    },
    mutate(folder, draw) {
      last = draw.below(sources.length);
      writeFileSync(join(at(folder, last), name), mutateJson(file(sources[last]!, name), draw, extra));
    },
    read: async (folder) => {
      try {
        await read(at(folder, last));
      } finally {
        cpSync(join(sources[last]!, name), join(at(folder, last), name));
      }
    },
  };
}

function readAll(weights: ReturnType<typeof openWeights>): void {
  try {
    for (const name of weights.names) {
      const { dtype, shape } = weights.info(name);
      if (dtype !== "F32" && dtype !== "F16" && dtype !== "BF16") continue;
      const values = weights.readFloat32(name);
      if (values.includes(CANARY)) throw new Error(`"${name}" was read from outside the folder`);
      if (shape.length > 0 && shape[0]! > 0) weights.readRows(name, 0, 1);
    }
  } finally {
    weights.close();
  }
}

const tensors = ["a", "b", "c"].map((name, i) => ({ name, shape: [4, 3], data: new Float32Array(12).fill(i) }));
const SHARD = "model-00001-of-00003.safetensors";

const safetensors: Target = {
  name: "safetensors",
  cases: 3000,
  async prepare(folder) {
    saveWeights(folder, tensors, { dtype: "BF16" });
    cpSync(join(folder, "model.safetensors"), join(folder, "original"));
  },
  mutate(folder, draw) {
    const bytes = readFileSync(join(folder, "original"));
    const length = Number(bytes.readBigUInt64LE());
    let out: Uint8Array;
    if (draw.chance(0.4)) out = mutateBytes(bytes, draw);
    else {
      const json = Buffer.from(
        mutateJson(bytes.toString("utf8", 8, 8 + length), draw, ["F32", "F16", "BF16", "F4", "I64", "x"]),
      );
      const prefix = Buffer.alloc(8);
      const claims = [
        BigInt(json.length),
        BigInt(json.length),
        BigInt(json.length),
        2n ** 64n - 1n,
        2n ** 63n,
        0n,
        2n ** 53n,
      ];
      prefix.writeBigUInt64LE(draw.oneOf(claims));
      out = Buffer.concat([prefix, json, bytes.subarray(8 + length)]);
    }
    writeFileSync(join(folder, "model.safetensors"), out);
  },
  async read(folder) {
    readAll(openWeights(folder));
    openSafetensors(join(folder, "model.safetensors")).close();
  },
};

const index: Target = {
  name: "model.safetensors.index.json",
  cases: 1500,
  async prepare(folder) {
    saveWeights(folder, tensors, { maxShardBytes: 50 });
    cpSync(join(folder, index.name), join(folder, "original"));
    writeFileSync(join(folder, "text.safetensors"), "hello");
    mkdirSync(join(folder, "folder.safetensors"));
  },
  mutate(folder, draw) {
    const names = [
      SHARD,
      "text.safetensors",
      "folder.safetensors",
      "../../canary.safetensors",
      "../canary.safetensors",
    ];
    const paths = [
      ...names,
      join(folder, "../canary.safetensors"),
      `./${SHARD}`,
      `${SHARD}/`,
      `..\\canary.safetensors`,
    ];
    writeFileSync(join(folder, index.name), mutateJson(file(folder, "original"), draw, paths));
  },
  read: async (folder) => readAll(openWeights(folder)),
};

const images: Target = {
  name: "images",
  cases: 2500,
  async prepare(folder) {
    const noise = Uint8Array.from({ length: 48 * 40 * 3 }, (_, i) => (i * i * 31) % 256);
    const image = () => sharp(noise, { raw: { width: 48, height: 40, channels: 3 } });
    await image().png().toFile(join(folder, "0"));
    await image().jpeg({ progressive: true }).withMetadata({ orientation: 6 }).toFile(join(folder, "1"));
    await image().webp().toFile(join(folder, "2"));
    await image().gif().toFile(join(folder, "3"));
    await image().tiff({ compression: "lzw" }).toFile(join(folder, "4"));
    await image().toColourspace("cmyk").jpeg().toFile(join(folder, "5"));
    await image().png({ palette: true }).toFile(join(folder, "6"));
    await image().webp({ lossless: true }).toFile(join(folder, "7"));
  },
  mutate(folder, draw) {
    const bytes = readFileSync(join(folder, String(draw.below(8))));
    // Half of the changes hit the head, where sizes and tables are.
    const head = draw.chance(0.5) ? Math.min(64, bytes.length) : bytes.length;
    const out = Buffer.concat([mutateBytes(bytes.subarray(0, head), draw), bytes.subarray(head)]);
    writeFileSync(join(folder, "image"), out);
  },
  read: async (folder) => void (await decodeImage({ path: join(folder, "image") })),
};

const niftiFiles = readdirSync(join(golden, "nifti")).filter((name) => name.includes(".nii"));
const dicomFiles = readdirSync(join(golden, "dicom")).filter((name) => name.endsWith(".dcm"));

/** The bytes before a place changed, or those from it on. */
function eitherPart(bytes: Buffer, at: number, draw: Draws): Buffer {
  const [head, rest] = [bytes.subarray(0, at), bytes.subarray(at)];
  return Buffer.concat(draw.chance(0.5) && at > 0 ? [mutateBytes(head, draw), rest] : [head, mutateBytes(rest, draw)]);
}

/** One file in each form that viva reads; half of the changes hit the elements before the pixels. */
const dicom: Target = {
  name: "dicom",
  cases: 2000,
  async prepare(folder) {
    for (const name of dicomFiles) cpSync(join(golden, "dicom", name), join(folder, name));
  },
  mutate(folder, draw) {
    const bytes = readFileSync(join(folder, draw.oneOf(dicomFiles)));
    const pixels = Math.max(0, bytes.lastIndexOf("e07f1000", undefined, "hex"));
    writeFileSync(join(folder, "image"), eitherPart(bytes, pixels, draw));
  },
  async read(folder) {
    const path = join(folder, "image");
    const sizes = await Promise.allSettled([imageSize({ path }), dicomAbout(path), dicomRange({ path })]);
    for (const size of sizes) if (size.status === "rejected" && !(size.reason instanceof UserError)) throw size.reason;
    await decodeImage({ path: `${path}#frame=1`, window: { center: 40, width: 400 } });
    blankedDicom(readFileSync(path));
  },
};

/** Volumes that lie in every way; half of the changes hit the header. */
const nifti: Target = {
  name: "nifti",
  cases: 1000,
  async prepare(folder) {
    for (const name of niftiFiles) cpSync(join(golden, "nifti", name), join(folder, name));
  },
  mutate(folder, draw) {
    const bytes = readFileSync(join(folder, draw.oneOf(niftiFiles)));
    writeFileSync(join(folder, "image"), eitherPart(bytes, 352, draw));
  },
  async read(folder) {
    const path = join(folder, "image#frame=1");
    await imageSize({ path }).catch((error) => {
      if (!(error instanceof UserError)) throw error;
    });
    await decodeImage({ path, window: { center: 40, width: 400 } });
    blankedNifti(readFileSync(join(folder, "image")));
  },
};

async function readProcessor(folder: string): Promise<void> {
  const processor = await openProcessor(folder);
  const data = new Uint8Array(3 * 30 * 40).fill(100);
  const image = { path: "x", pixels: { width: 40, height: 30, channels: 3, data } } as const;
  const content = [
    { type: "image", image },
    { type: "text", text: "Where is it?" },
  ] as const;
  const { tokenIds } = await processor.encode([{ role: "user", content }]);
  processor.decode(tokenIds);
}

async function readTokenizer(folder: string): Promise<void> {
  const tokenizer = loadTokenizer(folder);
  for (const each of [text, "", "a", "yes"]) tokenizer.decode(tokenizer.encode(each));
  await readProcessor(folder);
}

async function readModel(folder: string): Promise<void> {
  const model = openModel(folder);
  readWeights(model, folder);
  const numbers = Object.values(model.weights).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  if (numbers < 1e6 || numbers > 1e12) randomWeights(model.weights, 1); // small enough to draw, or too large to exist
  await readProcessor(folder);
}

const patterns = [
  "(a+)+$",
  "(\\s*\\S*)*\u0000",
  "(.*?)+?\u0001",
  "(?=(.+)+\u0002)",
  "[",
  "(?<n>a)\\k<n>",
  "\\p{X}",
].map((Regex) => ({ Regex }));
const steps = [
  "ByteLevel",
  "Split",
  "Sequence",
  "Digits",
  "Metaspace",
  "BPE",
  "Unigram",
  "WordPiece",
  "NFKC",
  "Replace",
];
const merges = [["a", "b"], ["a"], "a b", "ab", [1, 2]];

const adapter: Target = {
  ...jsonTarget("adapter_config.json", 0, async () => {}),
  cases: 500,
  async prepare() {},
  mutate(folder, draw) {
    const config = {
      peft_type: "LORA",
      base_model_name_or_path: "org/name",
      r: 8,
      lora_alpha: 16,
      target_modules: ["q_proj"],
    };
    writeFileSync(
      join(folder, "adapter_config.json"),
      mutateJson(JSON.stringify(config), draw, ["all-linear", ".*q_proj", "(.*)*x", "(?:.+)+!"]),
    );
  },
  async read(folder) {
    if (!isAdapterFolder(folder)) return;
    withLora(openModel(checkpoints.find((path) => path.includes("qwen2_vl"))!), readAdapterConfig(folder));
  },
};

export const targets: readonly Target[] = [
  safetensors,
  index,
  jsonTarget("tokenizer.json", 2000, readTokenizer, [...patterns, ...steps, ...merges, 2 ** 31 - 1]),
  jsonTarget("tokenizer_config.json", 500, readTokenizer),
  jsonTarget("config.json", 1500, readModel, [...checkpoints.keys(), 64, 128, 1000, 2 ** 24]),
  jsonTarget("preprocessor_config.json", 1500, readProcessor, [14, 28, 56 * 56, 1e9]),
  jsonTarget("generation_config.json", 500, readProcessor),
  adapter,
  images,
  dicom,
  nifti,
];
