/** What is done with the key-value caches of all layers on a device; arrays [slots x heads, 1, positions, headDim], float32. */
import {
  add,
  cast,
  concatDynamic,
  equal,
  gather,
  mul,
  reshape,
  slice,
  transpose,
  where,
} from "../../../compiler/ops/index.ts";
import { constant, input, type Program, type Tensor } from "../../../compiler/tensor.ts";
import { float32 } from "../../../core/tensor-data.ts";

/** Of the caches: their number, two for each layer, and the numbers of a head. */
export interface CacheShape {
  readonly count: number;
  readonly headDim: number;
}

const ints = (name: string, size: string) => input(name, "int32", [size]);

function caches({ count, headDim }: CacheShape): Tensor[] {
  return Array.from({ length: count }, (_, i) => input(`cache.${i}`, "float32", ["held", 1, "capacity", headDim]));
}

/** New keys and values [count x slots, 1, tokens, headDim], cache by cache. */
function cacheByCache({ count, headDim }: CacheShape, added: Tensor, slots: string): Tensor[] {
  const tokens = added.shape[2]!;
  const each = reshape(added, [count, slots, tokens, headDim]);
  return Array.from({ length: count }, (_, i) => reshape(slice(each, 0, i, i + 1), [slots, 1, tokens, headDim]));
}

const inputsOf = (...tensors: readonly Tensor[]) =>
  Object.fromEntries(tensors.map((t) => [(t.attrs as { readonly name: string }).name, t]));

const outputsOf = (tensors: readonly Tensor[]) => Object.fromEntries(tensors.map((t, i) => [`cache ${i}`, t]));

/** Positions by an index of the old ones. */
function positionsAt(cache: Tensor, index: Tensor): Tensor {
  return transpose(gather(transpose(cache, [2, 1, 0, 3]), index), [2, 1, 0, 3]);
}

/** Zeros: of "slot index" the number of slots x heads, of "position index" that of positions. */
export function emptyProgram({ count, headDim }: CacheShape): Program {
  const [slots, positions] = [ints("slot index", "slots"), ints("position index", "positions")];
  const sum = add(
    reshape(cast(slots, "float32"), ["slots", 1, 1, 1]),
    reshape(cast(positions, "float32"), [1, 1, "positions", 1]),
  );
  const zeros = mul(sum, constant(float32([headDim], new Float32Array(headDim))));
  return { inputs: inputsOf(slots, positions), outputs: outputsOf(Array.from({ length: count }, () => zeros)) };
}

/** Other slots and positions of all caches, by indices of the old ones. */
export function selectProgram(shape: CacheShape): Program {
  const [slots, positions] = [ints("slot index", "slots"), ints("position index", "positions")];
  const held = caches(shape);
  const selected = held.map((cache) => positionsAt(gather(cache, slots), positions));
  return { inputs: inputsOf(slots, positions, ...held), outputs: outputsOf(selected) };
}

/** One token more in every slot x head, at its "place". */
export function appendProgram(shape: CacheShape): Program {
  const [places, positions] = [ints("place", "held"), ints("position index", "capacity")];
  const held = caches(shape);
  const added = input("added", "float32", ["all", 1, 1, shape.headDim]);
  const tokens = cacheByCache(shape, added, "held");
  const isPlace = equal(reshape(places, ["held", 1, 1, 1]), reshape(positions, [1, 1, "capacity", 1]));
  return {
    inputs: inputsOf(places, positions, ...held, added),
    outputs: outputsOf(held.map((cache, i) => where(isPlace, tokens[i]!, cache))),
  };
}

/** A slot more, behind those there are if there are any, whose positions are tokens by "position index". */
export function slotProgram(shape: CacheShape, isFirst: boolean): Program {
  const positions = ints("position index", "capacity");
  const held = isFirst ? [] : caches(shape);
  const added = input("added", "float32", ["all", 1, "tokens", shape.headDim]);
  const slots = cacheByCache(shape, added, "heads").map((own) => positionsAt(own, positions));
  const placed = slots.map((own) => reshape(own, ["heads", 1, "capacity", shape.headDim]));
  return {
    inputs: inputsOf(positions, ...held, added),
    outputs: outputsOf(isFirst ? placed : held.map((cache, i) => concatDynamic([cache, placed[i]!], 0, "more"))),
  };
}
