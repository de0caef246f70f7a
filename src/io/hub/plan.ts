/** Which files of a repository are downloaded: what viva reads, and never code or pickles. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../core/errors.ts";
import { readWeightMap, SINGLE_WEIGHTS, WEIGHTS_INDEX } from "../weights.ts";
import type { HubFile } from "./listing.ts";

/** What is wanted of a repository. */
export interface DownloadPlan {
  /** Rounds of files, each chosen when those before are in the snapshot `folder`. */
  readonly rounds: readonly ((files: readonly HubFile[], folder: string) => readonly HubFile[])[];
  /** The name of something that a snapshot lacks, or null when it can be used without the Hub. */
  missing(folder: string): string | null;
}

const SETTINGS =
  /^(config|generation_config|(adapter|processor|tokenizer)_config|(|video_)preprocessor_config|tokenizer|special_tokens_map|added_tokens|vocab|chat_template)\.json$|^chat_template\.jinja$|^merges\.txt$|^(README\.md|LICEN[CS]E|NOTICE)(\.(md|txt))?$/;
const ADAPTER_WEIGHTS = "adapter_model.safetensors";

/** A model: configuration, tokenizer, processor, card and licence, then its safetensors, unless random weights are to be drawn. */
export function modelPlan(o: { readonly weights: boolean }): DownloadPlan {
  const settings = (files: readonly HubFile[]) =>
    files.filter(({ path }) => SETTINGS.test(path) || path === WEIGHTS_INDEX);
  return {
    rounds: o.weights ? [settings, weightFiles] : [settings],
    missing: (folder) => {
      const has = (name: string) => existsSync(join(folder, name));
      if (has("adapter_config.json")) return has(ADAPTER_WEIGHTS) ? null : ADAPTER_WEIGHTS;
      const name = ["config.json", "tokenizer.json"].find((file) => !has(file));
      if (name !== undefined) return name;
      if (!o.weights || has(SINGLE_WEIGHTS)) return null;
      if (!has(WEIGHTS_INDEX)) return SINGLE_WEIGHTS;
      return shardsOf(folder).find((shard) => !has(shard)) ?? null;
    },
  };
}

const DATA = /\.(jsonl?|csv|tsv|txt|parquet|md|png|jpe?g|webp|tiff?|gif|zip|tar|t?gz)$|(^|\/)LICEN[CS]E$/i;

/** A data set: tables, texts, images and archives. */
export function datasetPlan(): DownloadPlan {
  return {
    rounds: [
      (files) => {
        const wanted = files.filter(({ path }) => DATA.test(path));
        if (wanted.length > 0) return wanted;
        throw new UserError(
          "the repository holds no data files that viva reads (JSON, CSV, parquet, images, archives)",
        );
      },
    ],
    missing: (folder) => (existsSync(folder) ? null : "every file"),
  };
}

/** What openWeights reads: one file before shards, and of these only the ones the index names. */
function weightFiles(files: readonly HubFile[], folder: string): readonly HubFile[] {
  const named = (name: string) => files.filter(({ path }) => path === name);
  if (named("adapter_config.json").length > 0) return named(ADAPTER_WEIGHTS);
  const single = named(SINGLE_WEIGHTS);
  if (single.length > 0) return single;
  if (named(WEIGHTS_INDEX).length > 0) {
    return shardsOf(folder).map((shard) => {
      const [file] = named(shard);
      if (file === undefined) throw new UserError(`${WEIGHTS_INDEX} names ${shard}, which the repository lacks`);
      return file;
    });
  }
  const other = files.find(({ path }) => /\.(bin|pt|pth|gguf|h5|msgpack)$/.test(path));
  const found = other === undefined ? "no weights" : `${other.path}, but no ${SINGLE_WEIGHTS}`;
  throw new UserError(`the repository holds ${found}; viva reads safetensors only: name a repository that has them`);
}

function shardsOf(folder: string): readonly string[] {
  return [...new Set(readWeightMap(join(folder, WEIGHTS_INDEX)).values())];
}
