/** The configuration of a run: the resolved recipe and the machine. */
import { basename } from "node:path";
import { type Content, type Html, html } from "../html.ts";
import type { LabelledRun } from "../labelled-run.ts";
import { asRecord, type RunRecord } from "../read-run.ts";

export function configurationSection(runs: readonly LabelledRun[]): Html {
  return html`<section id="configuration"><h2>Configuration</h2>${runs.map(({ label, record }) => {
    return html`${runs.length > 1 && html`<h3>${label}</h3>`}${facts(record)}<details><summary>Recipe with all defaults</summary><pre>${record.recipeYaml}</pre></details>${environmentTable(record)}`;
  })}</section>`;
}

/** "viva-tiny on phantom: sft (300 steps) → grpo (40 steps by accuracy, format)". */
export function oneLine({ recipe }: RunRecord): string {
  const path = asRecord(recipe?.["model"])?.["path"];
  const data = asRecord(asRecord(recipe?.["data"])?.["train"])?.["name"];
  const stages = Array.isArray(recipe?.["stages"]) ? recipe["stages"].map(stageText) : [];
  const model = typeof path === "string" ? basename(path) : "unknown model";
  return `${model} on ${typeof data === "string" ? data : "unknown data"}: ${stages.join(" → ")}`;
}

function facts({ recipe, paths }: RunRecord): Content {
  const model = asRecord(recipe?.["model"]);
  const data = asRecord(recipe?.["data"]);
  const stages = Array.isArray(recipe?.["stages"]) ? recipe["stages"].map(stageText) : [];
  const dataText = (key: string) => {
    const spec = asRecord(data?.[key]);
    return (
      spec &&
      [spec["name"], spec["split"], spec["path"]].filter((part) => part !== null && part !== undefined).join(", ")
    );
  };
  const rows = [
    [
      "model",
      model && [model["path"], model["init"] === "random" ? "from random weights" : null].filter(Boolean).join(", "),
    ],
    ["trained on", dataText("train")],
    ["evaluated on", dataText("eval")],
    ["stages", stages.join(" → ")],
    ["seed", recipe?.["seed"]],
    ["folder", paths.folder],
  ] as const;
  return html`<dl>${rows.map(([name, value]) => value !== null && value !== undefined && value !== "" && html`<div><dt>${name}</dt><dd>${String(value)}</dd></div>`)}</dl>`;
}

function stageText(stage: unknown): string {
  const found = asRecord(stage);
  const rewards = asRecord(found?.["rewards"]);
  const by = rewards === null ? "" : ` by ${Object.keys(rewards).join(", ")}`;
  return `${String(found?.["kind"])}${typeof found?.["steps"] === "number" ? ` (${found["steps"]} steps${by})` : by}`;
}

function environmentTable({ environment }: RunRecord): Content {
  if (environment === null) return null;
  const flat = Object.entries(environment).flatMap(([key, value]) => {
    const inner = asRecord(value);
    return inner === null ? [[key, value] as const] : Object.entries(inner);
  });
  return html`<details><summary>Environment</summary><dl>${flat.map(([key, value]) => html`<div><dt>${key}</dt><dd>${String(value)}</dd></div>`)}</dl></details>`;
}
