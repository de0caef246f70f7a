#!/bin/sh
# What crosses between host and device in GRPO steps of two sizes, 7 and 53 million parameters, each with two lengths of rows.
# usage: bench/crossing.sh OUT [DEVICE]      (after `npm ci && npm run build`; VIVA: the command, else this checkout's)
# Writes checkpoints with random weights and, for each measurement, the JSON of `viva bench step` into OUT. Bytes are the
# same whatever the load; times are not.
set -eu
out=${1:?usage: bench/crossing.sh OUT [DEVICE]}
device=${2:-webgpu}
root=$(cd "$(dirname "$0")/.." && pwd)
viva=${VIVA:-node --single-threaded-gc $root/dist/cli/main.js}
mkdir -p "$out"
cd "$root"

node --input-type=module -e '
  import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
  import sharp from "sharp";
  const out = process.argv[1];
  const [text, processor] = ["config.json", "preprocessor_config.json"].map((f) => readFileSync(`assets/viva-tiny-base/${f}`));
  // Width, layers, heads, key-value heads, MLP, layers and width of the tower: those of bench/trl_step.py.
  for (const [name, [width, layers, heads, pairs, mlp, depth, tower]] of Object.entries({
    "7m": [256, 6, 4, 2, 768, 4, 128],
    "53m": [576, 12, 9, 3, 1536, 8, 256],
  })) {
    const config = JSON.parse(text);
    Object.assign(config, { hidden_size: width, num_hidden_layers: layers, num_attention_heads: heads, vocab_size: 4096 });
    Object.assign(config, { num_key_value_heads: pairs, intermediate_size: mlp });
    Object.assign(config.vision_config, { depth, embed_dim: tower, hidden_size: width });
    mkdirSync(`${out}/${name}.config`, { recursive: true });
    writeFileSync(`${out}/${name}.config/config.json`, JSON.stringify(config));
    writeFileSync(`${out}/${name}.config/preprocessor_config.json`, processor);
  }
  const image = { create: { width: 112, height: 112, channels: 3, background: "#446688" } };
  await sharp(image).png().toFile(`${out}/image.png`);
  const row = (question) => JSON.stringify({ image: "image.png", question });
  writeFileSync(`${out}/short.jsonl`, row("Is it large?"));
  writeFileSync(`${out}/long.jsonl`, row("Is it large? ".repeat(12)));
' "$out"

for size in 7m 53m; do
  [ -d "$out/$size" ] && continue
  npx tsx bench/make-checkpoint.ts "$out/$size.config" assets/viva-tiny-base assets/viva-tiny-base/chat_template.jinja "$out/$size"
done
for trained in full lora; do
  [ $trained = lora ] && flag=--lora || flag=
  for rows in short long; do
    for size in 7m 53m; do
      # shellcheck disable=SC2086
      $viva bench step "$out/$size" --rows "$out/$rows.jsonl" --device "$device" --threads 1 --steps 2 \
        --prompts-per-step 1 --num-generations 2 --max-completion-length 4 $flag >"$out/$size.$rows.$trained.json"
    done
  done
done
