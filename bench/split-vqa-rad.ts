/**
 * Makes an image-disjoint test split of a VQA-RAD folder that has only training rows, so that models can be evaluated.
 * usage: npx tsx bench/split-vqa-rad.ts FOLDER OUT [SHARE=0.15] [SEED=1]
 * OUT gets trainset.json, testset.json and a link to the images. This is not the published test set: say so next to figures.
 */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { permutation, randomKey } from "../src/core/random.ts";

const [folder, out, share = "0.15", seed = "1"] = process.argv.slice(2);
if (folder === undefined || out === undefined) throw new Error("usage: split-vqa-rad.ts FOLDER OUT [SHARE] [SEED]");
const rows = JSON.parse(readFileSync(join(folder, "trainset.json"), "utf8")) as readonly { image_name: string }[];
const images = [...new Set(rows.map(({ image_name }) => image_name))].sort();
const order = permutation(randomKey(Number(seed), "split"), images.length);
const held = new Set(Array.from(order.slice(0, Math.round(Number(share) * images.length)), (i) => images[i]!));

mkdirSync(out, { recursive: true });
const splits = {
  "trainset.json": rows.filter(({ image_name }) => !held.has(image_name)),
  "testset.json": rows.filter(({ image_name }) => held.has(image_name)),
};
for (const [name, own] of Object.entries(splits)) writeFileSync(join(out, name), JSON.stringify(own));
symlinkSync(resolve(folder, "images"), join(out, "images"));
const [train, test] = Object.values(splits).map(({ length }) => length);
console.log(`${train} training and ${test} test rows, ${images.length - held.size} and ${held.size} images, in ${out}`);
