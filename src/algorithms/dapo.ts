/** DAPO (arXiv 2503.14476): a wider clip upwards, every token alike, and no group without reward variance. */

export const dapo = { loss_type: "dapo", epsilon_high: 0.28, filter_groups: {} } as const;
