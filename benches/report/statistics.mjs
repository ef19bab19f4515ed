// What many runs say together.

/** The middle of values; of an even number the mean of the two. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
}

/** The median and the range of what `of` gives for each run. */
export function spread(runs, of) {
  const values = runs.map(of);
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) };
}
