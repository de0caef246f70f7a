/** The rewards of a stage in a recipe: names to weights or options; each reward validates its own options. */
import * as z from "zod";
import { mapping, number, openMapping, text, whole } from "../core/fields.ts";
import { rewards } from "../rewards/index.ts";

const WEIGHTS = "0, or from 1e-6 to 1e6 in size";
/** Advantages are divided by a spread of at least 1e-4, so that much smaller rewards teach nothing. */
const weightNumber = () =>
  number().refine((value) => value === 0 || (Math.abs(value) >= 1e-6 && Math.abs(value) <= 1e6), {
    error: `must be ${WEIGHTS}`,
  });

const weight = z
  .union(
    [
      weightNumber(),
      mapping({
        from: weightNumber().describe("The initial weight."),
        to: weightNumber().describe("The final weight."),
        steps: whole({ min: 1 }).describe("Steps of the stage over which it changes linearly."),
        start: whole({ min: 0 }).default(0).describe("Steps of the stage before it changes."),
      }),
    ],
    { error: `a number (${WEIGHTS}), or a mapping of from, to and steps` },
  )
  .describe("The reward's weight in the sum; 0 records it without training on it.");

const reward = z
  .union(
    [
      weightNumber(),
      openMapping({
        weight: weight.default(1),
        reward: text("the name of a reward").optional().describe("The reward's name, if the key differs from it."),
        module: text("the path of a module").optional().describe("A user module that exports the reward."),
      }),
    ],
    { error: `a weight (${WEIGHTS}), or a mapping of weight and options` },
  )
  .transform((value) => (typeof value === "number" ? { weight: value } : value));

/** For editors: each known reward with its options. Other names are allowed, for modules and repeated uses. */
const known = Object.fromEntries(
  Object.entries(rewards).map(([name, { options }]) => {
    const { properties } = z.toJSONSchema(options, { io: "input" }) as { readonly properties?: object };
    const weightSchema = z.toJSONSchema(weight, { io: "input" });
    const { $schema: _, ...plainWeight } = weightSchema;
    return [
      name,
      { anyOf: [{ type: "number" }, { type: "object", properties: { weight: plainWeight, ...properties } }] },
    ];
  }),
);

export const rewardsSchema = z
  .record(z.string(), reward, { error: "a mapping of reward names to weights" })
  .refine((rewards) => Object.keys(rewards).length > 0, { error: "must name at least one reward" })
  .refine((rewards) => Object.keys(rewards).length === 0 || Object.values(rewards).some(({ weight }) => weight !== 0), {
    error: "must give at least one reward a weight other than 0, or there is nothing to learn from",
  })
  .meta({ properties: known })
  .describe("Reward name to its weight, or to a mapping of weight and the reward's options.");
