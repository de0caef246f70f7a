#!/usr/bin/env bash
# Runs TRL and viva in turn, several rounds, on the same checkpoint and prompts, and prints one JSON object: medians of the
# GRPO steps of all rounds, their ratio, the range of the rounds' own ratios, memory, versions. A process's first step,
# which compiles, does not count.
# usage: PYTHON=path/to/python [ROUNDS=3] bench/compare-with-trl.sh {tiny,small} [--lora]
# needs: a Python with what bench/trl_step.py names, and `npm run build`
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
size=${1:?tiny or small}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for round in $(seq "${ROUNDS:-3}"); do
  "${PYTHON:-python3}" bench/trl_step.py "$size" "$folder" "${@:2}" 2>"$folder/trl.err" | tail -n 1 >>"$folder/trl.jsonl" ||
    { cat "$folder/trl.err" >&2; exit 1; }
  node --single-threaded-gc dist/cli/main.js bench step "$folder/checkpoint" --rows "$folder/rows.jsonl" "${@:2}" >>"$folder/viva.jsonl"
  echo "round $round of ${ROUNDS:-3} is done" >&2
done
node -e '
  const { readFileSync } = require("fs");
  const [trl, viva] = process.argv.slice(1, 3).map((file) => readFileSync(file, "utf8").trim().split("\n").map((line) => JSON.parse(line)));
  const onnxruntime = require(process.cwd() + "/node_modules/onnxruntime-node/package.json").version;
  const median = (all) => { const s = [...all].sort((a, b) => a - b); return (s[(s.length - 1) >> 1] + s[s.length >> 1]) / 2; };
  const warm = (runs, key = "step_seconds") => runs.flatMap((run) => run[key].slice(1));
  const ratios = trl.map((run, i) => median(warm([run])) / median(warm([viva[i]])));
  const peak = (runs) => Math.max(...runs.map((run) => run.max_rss_gb));
  const [a, b] = [median(warm(trl)), median(warm(viva))];
  console.log(JSON.stringify({
    size: process.argv[3], options: process.argv.slice(4), parameters: trl[0].parameters,
    rounds: trl.length, steps_counted: [warm(trl).length, warm(viva).length],
    trl_step_seconds: a, viva_step_seconds: b, ratio: a / b, round_ratios: [Math.min(...ratios), Math.max(...ratios)],
    viva_sample_seconds: median(warm(viva, "sample_seconds")), viva_train_seconds: median(warm(viva, "train_seconds")),
    trl_max_rss_gb: peak(trl), viva_max_rss_gb: peak(viva), memory_ratio: peak(trl) / peak(viva),
    matmul_peak_gflops: Math.max(...viva.map((run) => run.matmul_peak_gflops)),
    versions: { ...trl[0].versions, "onnxruntime-node": onnxruntime, node: process.versions.node },
    cpu: `${require("os").cpus().length} x ${require("os").cpus()[0].model}`,
  }, null, 1));
' "$folder/trl.jsonl" "$folder/viva.jsonl" "$size" "${@:2}"
