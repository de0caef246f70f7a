#!/bin/sh
# Measures a graphics card: doctor, GRPO steps at several sizes on each device of this machine, and a GRPO demo.
# usage: CARD_MODELS="FOLDER ..." bench/card.sh OUT      (after `npm ci && npm run build`; it builds nothing itself)
# CARD_MODELS: checkpoints of 53 million, 605 million and 2 billion parameters, smallest first; bench/make-checkpoint.ts
# writes them with random weights. Results are JSON files in OUT; what a device refuses is in the .err beside it.
set -u
out=${1:?usage: CARD_MODELS="FOLDER ..." bench/card.sh OUT}
root=$(cd "$(dirname "$0")/.." && pwd)
viva="node --single-threaded-gc $root/dist/cli/main.js"
limit=${CARD_SECONDS:-150} # of each measurement
[ -f "$root/dist/cli/main.js" ] || { echo "$root/dist is missing: run npm run build first" >&2; exit 2; }
mkdir -p "$out"
for i in 1 2 3 4; do
  echo "{\"question\": \"Is there a bright circle in picture $i, and what would it mean for a patient of forty years?\"}"
done >"$out/rows.jsonl"

$viva doctor >"$out/doctor.txt" 2>&1
(nvidia-smi -L || vulkaninfo --summary) >"$out/card.txt" 2>&1
devices=$(sed -n 's/^device \([a-z]*\) *works.*/\1/p' "$out/doctor.txt")
echo "devices that work: $devices"

measure() { # NAME COMMAND...: the output in OUT/NAME.json, the seconds it took on the terminal
  name=$1
  shift
  started=$(date +%s)
  timeout "$limit" "$@" >"$out/$name.json" 2>"$out/$name.err"
  echo "$name: exit code $?, $(($(date +%s) - started)) s"
}

for model in ${CARD_MODELS:-}; do
  for device in $devices; do
    for trained in full lora; do
      [ $trained = lora ] && flag=--lora || flag=
      # shellcheck disable=SC2086
      measure "step.$(basename "$model").$device.$trained" $viva bench step "$model" --rows "$out/rows.jsonl" \
        --device "$device" --steps 3 $flag
    done
  done
done
for device in $devices; do
  measure "grpo.$device" $viva train "$root/recipes/demo-grpo.yaml" --json --set engine.device="$device" --run "$out/run.$device"
done
