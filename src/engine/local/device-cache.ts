/**
 * Keys and values of many slots on a device, in the place of `KeyValueCache`: programs there append new tokens, so none of it
 * crosses. Its arrays hold just the slots that are in use; what a slot has beyond its tokens is any number, and masked.
 */
import type { TensorData } from "../../core/tensor-data.ts";
import type { LanguageStack } from "../../models/model.ts";
import type { Arrays } from "./arrays/arrays.ts";
import type { KeyValueSlots, NewTokens, Place } from "./key-value-cache.ts";

export function deviceCache(
  { depth, keyValueHeads: heads, headDim }: LanguageStack,
  prefix: string,
  { caches }: Arrays,
): KeyValueSlots {
  const shape = { count: 2 * depth, headDim };
  const names = Array.from({ length: depth }, (_, i) => [`${prefix}keys.${i}`, `${prefix}values.${i}`]).flat();
  let nominal = { slots: 0, capacity: 1 };
  /** What the arrays hold, which of their slots each slot is, and how many positions they have. */
  let held: readonly TensorData[] = [];
  let order: number[] = [];
  let positions = 0;

  const replace = (made: readonly TensorData[], slots: number, capacity: number) => {
    caches!.release(held);
    held = made;
    order = upTo(slots);
    positions = capacity;
  };
  /** The arrays of so many slots, in their order, with the capacity that was asked for. */
  const settle = (slots: number) => {
    const { capacity } = nominal;
    const isSettled = order.length === slots && order.every((at, i) => at === i) && positions === capacity;
    if (isSettled && held.length > 0) return;
    const own = upTo(slots).map((i) => order[i] ?? 0);
    const rows = Int32Array.from(own.flatMap((slot) => upTo(heads).map((head) => slot * heads + head)));
    const places = Int32Array.from({ length: capacity }, (_, i) => (i < positions ? i : 0));
    replace(
      held.length === 0 ? caches!.empty(shape, rows, places) : caches!.select(shape, held, rows, places),
      slots,
      capacity,
    );
  };
  return {
    get slots() {
      return nominal.slots;
    },
    get capacity() {
      return nominal.capacity;
    },
    first(count) {
      settle(count);
      return Object.fromEntries(names.map((name, i) => [name, held[i]!]));
    },
    write(added: NewTokens, places: readonly Place[]) {
      const [{ slot, position }] = places as readonly [Place];
      const tokens = added.shape[2]!;
      if (places.length === 1 && position === 0) {
        if (slot === 0) replace([], 0, 0);
        else settle(slot);
        const index = Int32Array.from({ length: nominal.capacity }, (_, i) => (i < tokens ? i : 0));
        replace(caches!.addSlot(shape, held, added, index), slot + 1, nominal.capacity);
        return;
      }
      const at = Int32Array.from(places.flatMap((place) => new Array<number>(heads).fill(place.position)));
      replace(caches!.append(shape, held, added, at), places.length, nominal.capacity);
    },
    copy(from, to) {
      order[to] = order[from]!;
    },
    resize(to, used) {
      nominal = to;
      order.length = Math.min(order.length, used);
      if (order.length === 0) replace([], 0, 0);
    },
    read() {
      throw new Error("internal: no prefixes are kept on a device");
    },
    restore() {
      throw new Error("internal: no prefixes are kept on a device");
    },
    release() {
      replace([], 0, 0);
    },
  };
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);
