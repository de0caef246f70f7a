/** Dr. GRPO (arXiv 2503.20783): GRPO without the length average and without the division by the group's deviation. */

export const drGrpo = { loss_type: "dr_grpo", scale_rewards: "none" } as const;
