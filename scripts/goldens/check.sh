#!/usr/bin/env bash
# Makes all goldens anew in a copy and compares them with what is stored: scripts/goldens/check.sh
# PYTHON names an interpreter that has the packages; without it a virtual environment is made (some 2 GB, minutes).
# What needs files that are not in the repository is skipped and says so. Exit code 1 where a golden differs.
set -uo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

if [ -z "${PYTHON:-}" ]; then
  python3.11 -m venv "$work/venv"
  PYTHON="$work/venv/bin/python"
  "$PYTHON" -m pip install -q torch==2.13.0 transformers==5.23.0 tokenizers==0.23.3 safetensors==0.8.0 pillow==13.0.0 \
    numpy==2.4.6 num2words pyarrow pydicom==3.0.2 pylibjpeg-openjpeg==2.6.0 pyjpegls==1.5.1 nibabel==5.4.2 datasets==5.2.0 trl==1.16.0 peft==0.21.2 sentence-transformers==6.2.0 onnx==1.23.2 nltk==3.10.4 \
    rouge-score==0.1.2 scipy==1.17.1 statsmodels==0.15.0 scikit-learn==1.9.1 tinker==0.38.0 || exit 1
fi
cp -r "$root/test/golden" "$work/golden"
differ=0

# make NAME OUTPUT [ARGUMENTS BEFORE IT] [-- ARGUMENTS AFTER IT]
make() {
  local name="$1" output="$2"; shift 2
  local before=() after=()
  while [ $# -gt 0 ] && [ "$1" != -- ]; do before+=("$1"); shift; done
  [ $# -gt 0 ] && shift && after=("$@")
  if ! "$PYTHON" "$root/scripts/goldens/$name.py" "${before[@]}" "$work/golden/$output" "${after[@]}" >"$work/log" 2>&1; then
    printf '%-18s failed: %s\n' "$name" "$(tail -n 1 "$work/log")"; differ=1; return
  fi
  local changed
  changed="$(diff -rq "$root/test/golden/$output" "$work/golden/$output" | wc -l)"
  if [ "$changed" = 0 ]; then printf '%-18s equal\n' "$name"; else printf '%-18s %d files differ\n' "$name" "$changed"; differ=1; fi
}

for name in qwen2_vl qwen2_5_vl qwen3_vl idefics3 processor parquet dicom nifti formats sentence_encoder; do make "$name" "$name"; done
make training training.json
make algorithms trl.json
make metrics metrics.json
make conventional conventional.json
make selection selection.json
make dataset_layouts datasets
make rewards rewards.json
make tinker_wire tinker.json
make adapters peft -- --checkpoints "$work/golden/qwen2_vl"
configs="$root/../shared/models/vlm_configs"
if [ -d "$configs" ]; then make weight_shapes weight_shapes.json "$configs"; else echo "weight_shapes      skipped: no $configs"; fi
echo "protocols          skipped: it runs the code of other tools, see its first lines"
exit "$differ"
