/* The run over time: columns of bins, merged in pairs where a chart has less than two pixels for each. */

const DATA = JSON.parse(byId('data').textContent, harmless);
const RESULT = DATA.result, START = DATA.start, SERIES = DATA.series;
const WARM_S = (RESULT.warmup_ns || 0) / 1e9;
const END_S = Math.max((START.duration_ns || 0) / 1e9, (RESULT.duration_ns || 0) / 1e9, 1);
const GOAL = RESULT.goal || {};
const NUMBERED = DATA.events.filter(event => event.number > 0);
const CIRCLED = '①②③④⑤⑥⑦⑧⑨';
const mark = event => CIRCLED[event.number - 1];

const known = values => values.filter(value => value !== null && value !== undefined);
const lowest = values => known(values).reduce((a, b) => Math.min(a, b), Infinity);
const highest = values => known(values).reduce((a, b) => Math.max(a, b), -Infinity);
const sum = values => known(values).reduce((a, b) => a + b, 0);
const mean = values => known(values).length ? sum(values) / known(values).length : null;

/* How bins become one: means of means (bins are equally long), the lowest, the highest. Percentiles of merged bins are
   the highest of theirs, for nothing else can be said of them. */
const MERGE = { lowest, workers_lowest: lowest, highest, workers_highest: highest, goal: mean, mean, workers: mean };
const mergedWith = key => MERGE[key] || highest;

const mergeColumn = (values, by, merge) => {
  if (by === 1) return values;
  const merged = [];
  for (let i = 0; i < values.length; i += by) {
    const part = merge(values.slice(i, i + by));
    merged.push(Number.isFinite(part) ? part : null);
  }
  return merged;
};

/* The whole run in bins that have two pixels of `width` each at least. */
const binsFor = width => {
  let by = 1;
  while (END_S / (SERIES.bin_s * by) > width / 2) by *= 2;
  const bins = { bin_s: SERIES.bin_s * by, merged: SERIES.bin_s * by > 1 };
  for (const key in SERIES)
    if (Array.isArray(SERIES[key]) && key !== 'errors') bins[key] = mergeColumn(SERIES[key], by, mergedWith(key));
  bins.errors = SERIES.errors.map(({ name, counts }) => ({ name, counts: mergeColumn(counts, by, sum) }));
  bins.count = bins.mean.length;
  return bins;
};

/* Seconds after the warm-up, of the finest bins there are. */
const measured = key => SERIES[key].filter((_, i) => i * SERIES.bin_s >= WARM_S);
