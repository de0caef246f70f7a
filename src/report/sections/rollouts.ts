/** Rollouts as cards: the image, the question, and the policy's completions with their rewards. */
import { meanOf } from "../../core/mean.ts";
import { signedBar } from "../charts/bars.ts";
import { short } from "../format.ts";
import { type Content, type Html, html, printHtml } from "../html.ts";
import { MAX_CHARACTERS, markedText } from "../marked-text.ts";
import type { ChosenGroup, RolloutSample, ShownCompletion, ShownGroup, ShownTurn } from "../rollout-sample.ts";
import type { Thumbnail } from "../thumbnails.ts";

/** A run's rollouts, at most `budget` bytes of them. */
export function rolloutSection(
  runs: readonly { readonly label: string; readonly sample: RolloutSample }[],
  images: ReadonlyMap<string, Thumbnail>,
  budget: number,
): Html | null {
  const some = runs.filter(({ sample }) => sample.chosen.length > 0);
  if (some.length === 0) return null;
  const each = budget / some.length;
  const parts = some.map((run) => ({ ...run, ...fitting(run.sample.chosen, images, each, run.label) }));
  return html`<section id="rollouts"><h2>Rollouts</h2>
<p class="lead">Prompts with sampled completions, rewards and advantages. An advantage above 0 (green) makes a completion more likely, one below 0 (red) less likely; equal completions are shown once, with their number.
<span class="key"><b class="answer">parsed answer</b> <mark class="v-true">true<span class="verdict">✓</span></mark> <mark class="v-false">false<span class="verdict">✗</span></mark> <mark class="v-unknown">undecided<span class="verdict">?</span></mark></span></p>
${filters(some)}
${parts.map(({ label, sample, cards, left }) => {
  const shown = `${cards.length} of ${sample.groups} groups (${sample.completions} completions)`;
  return html`${some.length > 1 && html`<h3>${label}</h3>`}<p class="note">${shown}, from the first to the last step, with the best, the worst and the most divided.${left > 0 && ` ${left} more were left out to keep this file small.`}</p>${cards}`;
})}
<p class="note" id="no-match" hidden>No rollout matches.</p></section>`;
}

/** The cards that fit the budget, in the order of steps; while they do not fit, every second one is dropped. */
function fitting(
  chosen: readonly ChosenGroup[],
  images: ReadonlyMap<string, Thumbnail>,
  budget: number,
  label: string,
): { readonly cards: readonly Html[]; readonly left: number } {
  let cards = chosen.map((one) => card(one, images, label));
  const size = () => cards.reduce((sum, one) => sum + Buffer.byteLength(printHtml(one)), 0);
  while (cards.length > 1 && size() > budget) cards = cards.filter((_, i) => i % 2 === 0);
  return { cards, left: chosen.length - cards.length };
}

const reasonLabels = { best: "among the best", worst: "among the worst", divided: "most divided" } as const;

function card({ group, reasons }: ChosenGroup, images: ReadonlyMap<string, Thumbnail>, run: string): Html {
  const { completions, question, choices, answer, prompt } = group;
  const known = completions.map(({ reward }) => reward).filter((reward) => typeof reward === "number");
  const mean = known.length === 0 ? Number.NaN : meanOf(known);
  const isFlat = known.length > 1 && known.every((reward) => reward === known[0]);
  const type = questionType(group);
  const search = [question, answer, ...completions.map(({ text }) => text.slice(0, 300))].join(" ").toLowerCase();
  return html`<article class="rollout" data-run="${run}" data-step="${group.step}" data-type="${type}" data-kind="${[...reasons, isFlat ? "flat" : "teaching"].join(" ")}" data-text="${search.slice(0, 1500)}">
<header><h3>Step ${group.step}</h3><span class="tag">${group.stage}</span><span class="tag">${type}</span>${reasons.map((reason) => html`<span class="tag strong">${reasonLabels[reason]}</span>`)}${isFlat && html`<span class="tag warn" title="All completions have the same reward: this group has no gradient">no difference</span>`}<span class="mean">mean reward <b>${short(mean)}</b></span></header>
<div class="case"><div class="films">${group.images.map(({ path }) => film(path, question, images))}</div>
<div class="ask"><p class="question">${question}</p>${choices.length > 0 && html`<ol class="choices" type="A">${choices.map((choice) => html`<li>${choice}</li>`)}</ol>`}
<p>Reference answer: <b class="reference">${answer}</b></p>
<details><summary>The prompt as the model read it</summary><pre>${prompt.slice(0, MAX_CHARACTERS)}</pre></details>
<p class="ids">${group.id} · ${group.example_id}</p></div></div>
${completionList(completions, images)}</article>`;
}

function film(path: string, question: string, images: ReadonlyMap<string, Thumbnail>): Html {
  const found = images.get(path);
  if (found === undefined) return html`<p class="missing">image not found: ${path}</p>`;
  return html`<img src="${found.url}" width="${found.width}" height="${found.height}" alt="Image to the question: ${question}" decoding="async">`;
}

/** All completions, best first; of many different ones, the best two and the worst are expanded. */
function completionList(completions: readonly ShownCompletion[], images: ReadonlyMap<string, Thumbnail>): Html {
  const rows = merged(completions);
  const row = (one: (typeof rows)[number]) => completionRow(one, images);
  const folded = rows.length > 4 ? rows.slice(2, -1) : [];
  const open = rows.filter((one) => !folded.includes(one));
  return html`<ol class="completions">${open.map(row)}</ol>${folded.length > 0 && html`<details class="more"><summary>${folded.length} more between these</summary><ol class="completions">${folded.map(row)}</ol></details>`}`;
}

/** Merges completions of equal text and reward, best first. */
function merged(completions: readonly ShownCompletion[]) {
  const groups = new Map<string, { completion: ShownCompletion; count: number }>();
  for (const completion of completions) {
    const key = JSON.stringify([
      completion.text,
      completion.turns,
      completion.rewards,
      completion.advantage,
      completion.finish_reason,
    ]);
    const same = groups.get(key);
    if (same === undefined) groups.set(key, { completion, count: 1 });
    else same.count++;
  }
  const most = Math.max(
    ...completions.map(({ advantage }) => Math.abs(asNumber(advantage))).filter(Number.isFinite),
    0,
  );
  const rewardOf = ({ reward }: ShownCompletion) => (typeof reward === "number" ? reward : Number.NEGATIVE_INFINITY);
  return [...groups.values()]
    .sort((a, b) => Math.sign(rewardOf(b.completion) - rewardOf(a.completion)) || 0)
    .map((row) => ({ ...row, most }));
}

function completionRow(
  { completion, count, most }: ReturnType<typeof merged>[number],
  images: ReadonlyMap<string, Thumbnail>,
): Html {
  const { rewards, reward, advantage, tokens, finish_reason } = completion;
  const value = asNumber(advantage);
  const cut = finish_reason === "length";
  return html`<li><div class="said">${count > 1 && html`<span class="count" title="${count} completions said this">×${count}</span>`}${completion.turns?.slice(0, -1).map((turn) => turnRow(turn, images))}<span class="text">${completion.text === "" ? html`<i>(empty)</i>` : markedText(completion)}</span></div>
<div class="earned"><span class="advantage">${signedBar(value, most)}<span class="figure">advantage ${signed(value)}</span></span>
<span class="chips">${Object.entries(rewards).map(([name, given]) => html`<span class="chip">${name} <b>${numberText(given)}</b></span>`)}<span class="chip total">reward <b>${numberText(reward)}</b></span>${tokens !== undefined && html`<span class="chip plain">${tokens} tokens${cut && html` <b class="warn">cut off</b>`}</span>`}</span></div></li>`;
}

/** A turn that called a tool: what the policy wrote, the call as it was read, and what came back. */
function turnRow({ text, call, observation }: ShownTurn, images: ReadonlyMap<string, Thumbnail>): Html {
  const called = call === null ? "a call that cannot be read" : `${call.name}(${JSON.stringify(call.arguments)})`;
  const image = observation?.image ?? null;
  return html`<div class="turn"><span class="text">${text.slice(0, MAX_CHARACTERS)}</span><p class="call"><code>${called}</code></p>${image !== null && film(image.path, called, images)}${observation !== null && observation.text !== "" && html`<p class="${observation.is_error ? "observed warn" : "observed"}">${observation.text.slice(0, MAX_CHARACTERS)}</p>`}</div>`;
}

function filters(runs: readonly { readonly label: string; readonly sample: RolloutSample }[]): Html {
  const types = new Set(runs.flatMap(({ sample }) => sample.chosen.map(({ group }) => questionType(group))));
  const options = (values: Iterable<string>): Content =>
    [...values].sort().map((value) => html`<option>${value}</option>`);
  return html`<form class="filters" id="filters" hidden><label>Show <select name="kind"><option value="">all</option><option value="best">the best</option><option value="worst">the worst</option><option value="divided">the most divided</option><option value="flat">without difference</option></select></label>
<label>Question type <select name="type"><option value="">all</option>${options(types)}</select></label>
${runs.length > 1 && html`<label>Run <select name="run"><option value="">all</option>${options(runs.map(({ label }) => label))}</select></label>`}
<label>Text <input name="text" type="search" autocomplete="off"></label><output id="matches" aria-live="polite"></output></form>`;
}

/** The question's type, as named by the data. */
function questionType({ meta, answer_type }: ShownGroup): string {
  return meta["question_type"] || meta["content_type"] || answer_type;
}

function asNumber(value: unknown): number {
  return typeof value === "number" ? value : Number.NaN;
}

function numberText(value: unknown): string {
  return typeof value === "number" ? short(value) : "–";
}

function signed(value: number): string {
  return value > 0 ? `+${short(value)}` : short(value);
}
