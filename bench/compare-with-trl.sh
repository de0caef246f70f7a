#!/usr/bin/env bash
# Runs TRL and viva in turn on the same checkpoint and prompts and prints the ratio of their median GRPO steps.
# usage: PYTHON=path/to/python bench/compare-with-trl.sh {tiny,small} [--lora]
# needs: a Python with what bench/trl_step.py names, and `npm run build`
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
size=${1:?tiny or small}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" bench/trl_step.py "$size" "$folder" "${@:2}" 2>"$folder/trl.err" | tail -n 1 >"$folder/trl.json" ||
  { cat "$folder/trl.err" >&2; exit 1; }
node dist/cli/main.js bench step "$folder/checkpoint" --rows "$folder/rows.jsonl" "${@:2}" >"$folder/viva.json"
node -e '
  const [trl, viva] = process.argv.slice(1).map((file) => JSON.parse(require("fs").readFileSync(file)));
  const median = (all) => { const s = all.slice(1).sort((a, b) => a - b); return s[Math.floor(s.length / 2)]; };
  const [a, b] = [median(trl.step_seconds), median(viva.step_seconds)];
  console.log(JSON.stringify({ parameters: trl.parameters, trl_step_seconds: a, viva_step_seconds: b, ratio: a / b,
    trl_max_rss_gb: trl.max_rss_gb, viva }, null, 1));
' "$folder/trl.json" "$folder/viva.json"
