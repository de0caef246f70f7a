#!/usr/bin/env bash
# What TRL's GRPOTrainer and viva learn from the same 104 questions, by step and by second: the same checkpoint
# (viva-tiny-instruct), rewards, batch, learning rate and completion length, seed by seed and in turn. Checkpoints of both
# are scored by `viva eval` on 520 held-out questions. Prints one JSON object (bench/learn-table.ts).
# usage: PYTHON=path/to/python [SEEDS="1 2 3"] [STEPS=60] [EVERY=20] bench/learn-with-trl.sh [FOLDER]
# needs: a Python with what bench/trl_learn.py names, and `npm run build`. What lies in FOLDER (runs/learn) is not made again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
work=$(realpath -m "${1:-runs/learn}")
model=$PWD/assets/viva-tiny-instruct
steps=${STEPS:-60} every=${EVERY:-20}
viva() { node --single-threaded-gc dist/cli/main.js "$@"; }
evaluate() { # CHECKPOINT OUT
  [[ -s $2 ]] || viva eval "$1" --data jsonl --path "$work/data" --split test --prompt think_answer \
    --max-completion-length 80 --out "$2" >/dev/null
}
[[ -d $work/data ]] || npx tsx bench/learn-questions.ts "$work"
export REWARDS="node --import tsx bench/learn-rewards.ts $work/data"
for seed in ${SEEDS:-1 2 3}; do
  trl=$work/trl-$seed viva=$work/viva-$seed
  if [[ ! -e $trl/log.json ]]; then
    mkdir -p "$trl"
    "${PYTHON:-python3}" bench/trl_learn.py "$model" "$work" "$trl" "$seed" "$steps" "$every" >"$trl/out.log" 2>"$trl/err.log" ||
      { tail -n 20 "$trl/err.log" >&2; exit 1; }
  fi
  echo "seed $seed: TRL has trained" >&2
  [[ -e $viva/report.html ]] || viva train bench/learn.yaml --run "$viva" --quiet --set "seed=$seed" --set "stages.0.steps=$steps" \
    --set "checkpoint.every=$every" --set "data.train.path=$work/data" --set "data.eval.path=$work/data"
  echo "seed $seed: viva has trained" >&2
done
evaluate "$model" "$work/before.jsonl"
for seed in ${SEEDS:-1 2 3}; do
  for ((step = every; step <= steps; step += every)); do
    name=$(printf 'step-%06d' "$step")
    evaluate "$work/trl-$seed/$name" "$work/trl-$seed/$name.jsonl"
    evaluate "$work/viva-$seed/checkpoints/$name" "$work/viva-$seed/$name.jsonl"
  done
done
npx tsx bench/learn-table.ts "$work" ${SEEDS:-1 2 3}
