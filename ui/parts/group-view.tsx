/** A group: image and question once, then its completions, the best first and equal ones merged. */
import { useMemo } from "preact/hooks";
import type { GroupColumns } from "../../src/ui/groups.ts";
import { address, hrefOf, setValues, shownHref } from "../address.ts";
import { short } from "../format.ts";
import { useKeys } from "../keys.ts";
import { api, read } from "../source.ts";
import { useData } from "../use-data.ts";
import { type Completion, CompletionCard } from "./completion-card.tsx";
import { ClaimLegend } from "./marked-text.tsx";
import { Viewer } from "./viewer.tsx";
import { CopyButton, Loaded, Thumbnail } from "./ways.tsx";

/** A row of rollouts.jsonl, as far as it is shown; rows of other programs may lack anything. */
export interface Group {
  readonly id: string;
  readonly step: number;
  readonly stage?: string;
  readonly example_id?: string;
  readonly subject_id?: string;
  readonly images?: readonly {
    readonly path: string;
    readonly sha256: string;
    readonly width?: number;
    readonly height?: number;
  }[];
  readonly question?: string;
  readonly answer?: string;
  readonly choices?: readonly string[];
  readonly meta?: Readonly<Record<string, string>>;
  readonly prompt?: string;
  readonly prompt_tokens?: number;
  readonly image_tokens?: number;
  readonly policy_version?: number;
  readonly completions: readonly Completion[];
}

/** Completions with one text. */
interface Merged {
  readonly completion: Completion;
  /** Places in the group. */
  readonly places: readonly number[];
}

interface GroupViewProps {
  readonly run: string;
  readonly groups: GroupColumns;
  readonly place: number;
  readonly weights: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export function GroupView({ run, groups, place, weights }: GroupViewProps) {
  const id = groups.ids[place]!;
  const [step, group] = id.split("/") as [string, string];
  const asked = useData(
    `${run} ${id}`,
    async () => (await read(api.runs[":run"].groups[":step"][":group"].$get({ param: { run, step, group } }))) as unknown as Group,
  );
  return (
    <Loaded
      asked={asked}
      show={(found) => <Shown run={run} group={found} groups={groups} place={place} weights={weights[found.stage ?? ""] ?? {}} />}
    />
  );
}

function Shown({
  run,
  group,
  groups,
  place,
  weights,
}: Omit<GroupViewProps, "weights"> & { readonly group: Group; readonly weights: Readonly<Record<string, number>> }) {
  const { values } = address.value;
  const cards = useMemo(() => merged(group.completions), [group]);
  const chosen = values["c"] === undefined ? null : Number(values["c"]);
  const layer = values["tokens"] !== undefined;
  const diff = values["diff"] !== undefined;
  const most = Math.max(0, ...group.completions.map(({ advantage }) => Math.abs(Number(advantage) || 0)));
  const open = values["image"] === undefined ? null : Number(values["image"]);
  const at = cards.findIndex(({ places }) => chosen !== null && places.includes(chosen));
  const show = (card: number) => {
    const next = cards[Math.min(cards.length - 1, Math.max(0, card))];
    if (next === undefined) return;
    setValues({ c: next.places[0]! });
    document.getElementById(`c${next.places[0]}`)?.scrollIntoView({ block: "nearest" });
  };
  useKeys([
    { key: "l", about: "next completion", act: () => show(at + 1) },
    { key: "h", about: "previous completion", act: () => show(at - 1) },
    { key: "z", about: "open or close the image", act: () => setValues({ image: open === null ? 0 : null }) },
    {
      key: "v",
      about: "image as the model saw it",
      act: () => setValues({ image: open ?? 0, view: values["view"] === "model" ? null : "model" }),
    },
    { key: "t", about: "log-probs by token", act: () => setValues({ tokens: layer ? null : 1 }) },
    { key: "d", about: "what differs from the best completion", act: () => setValues({ diff: diff ? null : 1 }) },
  ]);
  const images = group.images ?? [];
  const image = open === null ? undefined : images[open];
  return (
    <>
      <header class="group-head">
        <div class="thumbs">
          {images.map(({ sha256, width, height }, i) => (
            <button
              type="button"
              key={i}
              class="thumb"
              aria-expanded={open === i}
              onClick={() => setValues({ image: open === i ? null : i, wl: null })}
            >
              <Thumbnail run={run} sha256={sha256} alt={`Image ${i + 1}, ${width} × ${height}: look at it closely`} />
            </button>
          ))}
        </div>
        <div>
          <h2>{group.question}</h2>
          {(group.choices ?? []).length > 0 && (
            <p>{group.choices!.map((choice, i) => `${String.fromCharCode(65 + i)}. ${choice}`).join("   ")}</p>
          )}
          <p>
            Reference: <b>{group.answer}</b>
          </p>
          <p class="muted">
            group {group.id}, {group.stage}; weights after {group.policy_version} updates; {group.prompt_tokens} prompt tokens,{" "}
            {group.image_tokens} of images; {group.example_id}
          </p>
          <p class="chips">
            {Object.entries(group.meta ?? {}).map(([name, value]) => (
              <span key={name}>
                {name} {value}
              </span>
            ))}
          </p>
          <CopyButton label="copy row as JSON" text={() => JSON.stringify(group)} />{" "}
          <CopyButton label="copy link" text={() => location.href} />
        </div>
      </header>
      {image !== undefined && (
        <section class="image-panel" aria-label="Image">
          <div class="buttons">
            {(["stored", "model"] as const).map((view) => (
              <button
                type="button"
                key={view}
                aria-pressed={(values["view"] ?? "stored") === view}
                onClick={() => setValues({ view: view === "stored" ? null : view, wl: null })}
              >
                {view === "stored" ? "as stored" : "as the model saw it"}
              </button>
            ))}
            <button type="button" onClick={() => setValues({ image: null, view: null, wl: null })}>
              close
            </button>
          </div>
          <Viewer run={run} sha256={image.sha256} wl={values["wl"]} view={values["view"] === "model" ? "model" : "stored"} />
        </section>
      )}
      <SameQuestion run={run} groups={groups} place={place} />
      <details>
        <summary>Prompt</summary>
        <pre tabIndex={0}>{group.prompt}</pre>
      </details>
      <div class="toolbar">
        <b>
          {group.completions.length} completions
          {cards.length < group.completions.length && `, ${cards.length} different`}
        </b>
        <button type="button" aria-pressed={layer} onClick={() => setValues({ tokens: layer ? null : 1 })}>
          log-probs
        </button>
        <button type="button" aria-pressed={diff} onClick={() => setValues({ diff: diff ? null : 1 })}>
          diff against the best
        </button>
        <ClaimLegend />
      </div>
      <Cards {...{ run, group, cards, weights, most, chosen, layer, diff }} />
    </>
  );
}

interface CardsProps {
  readonly run: string;
  readonly group: Group;
  readonly cards: readonly Merged[];
  readonly weights: Readonly<Record<string, number>>;
  readonly most: number;
  readonly chosen: number | null;
  readonly layer: boolean;
  readonly diff: boolean;
}

interface Tokens {
  readonly completions: readonly {
    readonly token_ids: readonly number[];
    readonly log_probs: readonly number[];
    readonly entropies?: readonly number[];
  }[];
}

function Cards({ run, group, cards, weights, most, chosen, layer, diff }: CardsProps) {
  const [step, place] = group.id.split("/") as [string, string];
  const tokens = useData(layer ? `${run} tokens ${group.id}` : "no tokens", async () =>
    layer
      ? ((await read(api.runs[":run"].tokens[":step"][":group"].$get({ param: { run, step, group: place } }))) as unknown as Tokens)
      : null,
  );
  const best = cards[0]?.completion.text ?? "";
  return (
    <>
      {tokens.error !== null && <p class="notice">{tokens.error}</p>}
      <ol class="cards">
        {cards.map(({ completion, places }, i) => (
          <CompletionCard
            key={places[0]}
            {...{ completion, places, weights, most }}
            chosen={chosen !== null && places.includes(chosen)}
            against={diff && i > 0 ? best : null}
            tokens={layer ? (tokens.value?.completions[places[0]!] ?? null) : null}
          />
        ))}
      </ol>
    </>
  );
}

/** The best advantage first; those with one text are one card. */
function merged(completions: readonly Completion[]): readonly Merged[] {
  const byText = new Map<string, number[]>();
  for (const [i, { text }] of completions.entries()) byText.set(text, [...(byText.get(text) ?? []), i]);
  const cards = [...byText.values()].map((places) => ({ completion: completions[places[0]!]!, places }));
  return cards.sort((a, b) => (Number(b.completion.advantage) || 0) - (Number(a.completion.advantage) || 0));
}

/** How the policy did on this question at every step that asked it. */
function SameQuestion({ run, groups, place }: Pick<GroupViewProps, "run" | "groups" | "place">) {
  const { values } = address.value;
  const example = groups.examples[place];
  const same = useMemo(() => groups.examples.flatMap((one, i) => (one === example ? [i] : [])), [groups, example]);
  if (same.length < 2) return null;
  return (
    <nav class="same" aria-label="The same question at other steps">
      <span class="muted">same question:</span>
      {same.map((i) => (
        <a
          key={i}
          href={shownHref(hrefOf(["runs", run, "rollouts", ...groups.ids[i]!.split("/")], { ...values, c: null }))}
          aria-current={i === place ? "true" : undefined}
        >
          step {groups.steps[i]} <b>{short(groups.means[i])}</b>
        </a>
      ))}
    </nav>
  );
}
