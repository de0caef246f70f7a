/** A group: image and question once, then its completions, the best first and equal ones merged. */
import { useMemo } from "preact/hooks";
import type { RolloutRecord, TokenRecord } from "../../src/train/rollout-records.ts";
import type { GroupColumns } from "../../src/ui/groups.ts";
import { address, setValues } from "../address.ts";
import { short } from "../format.ts";
import { useKeys } from "../keys.ts";
import { isBundle } from "../source.ts";
import { useAnswer } from "../use-data.ts";
import { type Completion, CompletionCard } from "./completion-card.tsx";
import { Button } from "./controls.tsx";
import { ClaimLegend } from "./marked-text.tsx";
import type { Region } from "./paint.ts";
import { type ShownImage, Viewers } from "./viewers.tsx";
import { Choices, CopyButton, Loaded, Problem, Thumbnail, To } from "./ways.tsx";

/** A row of rollouts.jsonl, as far as it is shown; rows of other programs may lack anything. */
type Group = Partial<Omit<RolloutRecord, "completions">> & Pick<RolloutRecord, "id"> & { readonly completions: readonly Completion[] };

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
  const asked = useAnswer<Group>(["runs", run, "groups", ...id.split("/")]);
  const shown = (group: Group) => <Shown {...{ run, group, groups, place }} weights={weights[group.stage ?? ""] ?? {}} />;
  return <Loaded asked={asked} show={shown} />;
}

interface ShownProps extends Omit<GroupViewProps, "weights"> {
  readonly group: Group;
  readonly weights: Readonly<Record<string, number>>;
}

function Shown({ run, group, groups, place, weights }: ShownProps) {
  const { values } = address.value;
  const cards = useMemo(() => merged(group.completions), [group]);
  const chosen = values["c"] === undefined ? null : Number(values["c"]);
  const [layer, diff, asModel] = [values["tokens"] !== undefined, values["diff"] !== undefined, values["view"] === "model"];
  const most = Math.max(0, ...group.completions.map(({ advantage }) => Math.abs(Number(advantage) || 0)));
  const open = values["image"] === undefined ? null : Number(values["image"]);
  const at = cards.findIndex(({ places }) => chosen !== null && places.includes(chosen));
  const show = (card: number) => {
    const next = cards[Math.min(cards.length - 1, Math.max(0, card))];
    if (next === undefined) return;
    setValues({ c: next.places[0]! });
    document.getElementById(`c${next.places[0]}`)?.scrollIntoView({ block: "nearest" });
  };
  const toggleImage = (i: number) => setValues({ image: open === i ? null : i, wl: null });
  const toggleView = () => setValues({ image: open ?? 0, view: asModel ? null : "model", wl: null });
  const toggleTokens = () => setValues({ tokens: layer ? null : 1 });
  const toggleDiff = () => setValues({ diff: diff ? null : 1 });
  useKeys([
    { key: "l", about: "next completion", act: () => show(at + 1) },
    { key: "h", about: "previous completion", act: () => show(at - 1) },
    { key: "z", about: "open or close the image", act: () => toggleImage(open ?? 0) },
    { key: "v", about: "image as the model saw it", act: toggleView },
    { key: "t", about: "log-probs and entropies by token", act: toggleTokens },
    { key: "d", about: "what differs from the best completion", act: toggleDiff },
  ]);
  const images = group.images ?? [];
  const image = open === null ? undefined : images[open];
  const views = image === undefined ? [] : viewsOf(group, open!, chosen, values["all"] !== undefined, asModel);
  return (
    <>
      <header class="group-head">
        <div class="thumbs">
          {images.map(({ sha256, width, height }, i) => (
            <Button key={i} class="thumb" aria-expanded={open === i} on={() => toggleImage(i)}>
              <Thumbnail run={run} sha256={sha256} alt={`Image ${i + 1}, ${width} × ${height}: look at it closely`} />
            </Button>
          ))}
        </div>
        <div>
          <h2>{group.question}</h2>
          <Choices choices={group.choices ?? []} />
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
          <CopyButton label="copy link" text={() => location.href} />{" "}
          {!isBundle && (
            <To path={["runs", run, "play"]} values={{ row: group.id, sha: images[0]?.sha256 ?? null }}>
              ask a checkpoint
            </To>
          )}
        </div>
      </header>
      {image !== undefined && (
        <section class="image-panel" aria-label="Image">
          <div class="buttons">
            <Button pressed={asModel} text="as the model saw it, beside it" on={toggleView} />
            {images.length > 1 && (
              <Button
                pressed={values["all"] !== undefined}
                text="all images"
                on={() => setValues({ all: values["all"] === undefined ? 1 : null })}
              />
            )}
            <Button text="close" on={() => setValues({ image: null, view: null, wl: null, all: null })} />
          </div>
          <Viewers run={run} images={views} main />
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
        <Button pressed={layer} text="log-probs and entropies" on={toggleTokens} />
        <Button pressed={diff} text="diff against the best" on={toggleDiff} />
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

function Cards({ run, group, cards, weights, most, chosen, layer, diff }: CardsProps) {
  const tokens = useAnswer<TokenRecord>(layer ? ["runs", run, "tokens", ...group.id.split("/")] : null);
  const best = cards[0]?.completion.text ?? "";
  return (
    <>
      <Problem text={tokens.error} />
      <ol class="cards">
        {cards.map(({ completion, places }, i) => (
          <CompletionCard
            key={places[0]}
            {...{ run, completion, places, weights, most }}
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
        <To
          key={i}
          path={["runs", run, "rollouts", ...groups.ids[i]!.split("/")]}
          values={{ ...values, c: null }}
          aria-current={i === place ? "true" : undefined}
        >
          step {groups.steps[i]} <b>{short(groups.means[i])}</b>
        </To>
      ))}
    </nav>
  );
}

/** The image with what is known of it and where the chosen completion looked; with it the model's view, the other images, or what tools showed. */
function viewsOf(group: Group, open: number, chosen: number | null, all: boolean, asModel: boolean): readonly ShownImage[] {
  const images = group.images ?? [];
  const { turns = [] } = (chosen === null ? undefined : group.completions[chosen]) ?? {};
  const shown = turns.flatMap(({ observation }) => observation?.image ?? []);
  const looked = shown.flatMap(({ path }, i): readonly Region[] => {
    const [, base, box = ""] = /^(.+)#crop=([\d.,-]+)$/s.exec(path) ?? [];
    const [left, top, right, bottom] = box.split(",").map(Number);
    return base === images[open]!.path && bottom !== undefined ? [{ label: `look ${i + 1}`, box: [left!, top!, right!, bottom] }] : [];
  });
  const known = (i: number) => (group.regions ?? []).filter(({ image }) => image === i);
  const { modality } = group.meta ?? {};
  const of = modality === undefined ? {} : { modality };
  return [
    { sha256: images[open]!.sha256, regions: [...known(open), ...looked], label: "as stored", ...of },
    ...(asModel ? [{ sha256: images[open]!.sha256, view: "model" as const, label: "as the model saw it" }] : []),
    ...(all ? images.flatMap(({ sha256 }, i) => (i === open ? [] : [{ sha256, regions: known(i), label: `image ${i + 1}`, ...of }])) : []),
    ...shown.map(({ sha256 }, i) => ({ sha256, label: `look ${i + 1}` })),
  ];
}
