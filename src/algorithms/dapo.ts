/** DAPO (arXiv 2503.14476): a wider clip upwards, every token alike, and no group that teaches nothing. */

export const dapo = { loss_type: "dapo", epsilon_high: 0.28, filter_groups: {} } as const;
