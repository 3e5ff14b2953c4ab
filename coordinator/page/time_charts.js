/* Throughput, concurrency, latency and errors over one time axis, with one cursor for all. */

const panels = [];
let cursor = null; /* seconds since the start; null: none */

const NARROW = 560;
const gapsFor = width => width < NARROW ? { left: 40, right: 6 } : { left: 52, right: 132 };

const moveCursor = seconds => {
  cursor = seconds;
  panels.forEach(panel => panel.read());
};

/* Whole bins and the end of the last, so that its step is as long as the others. */
const stepRows = (bins, value) => {
  const rows = Array.from({ length: bins.count }, (_, i) => [i * bins.bin_s, ...value(i)]);
  if (bins.count > 0) rows.push([Math.min(bins.count * bins.bin_s, END_S), ...value(bins.count - 1)]);
  return rows;
};

const ground = area => {
  fillBox(area, 0, WARM_S, colour('band'));
};
const eventLines = area => NUMBERED.forEach(event => verticalLine(area, area.x(event.began_s), faded('ink', 0.75), [2, 3]));

/* `spec`: id, title, key, height, y, format, lines, row(bins, i), read(bins, i), table: [head, row(i)], below, over, ... */
const timePanel = spec => {
  const figure = byId(spec.id);
  const reading = titled(figure, spec.title, spec.key);
  const output = put(reading, 'output', { 'aria-live': 'polite' });
  let bins;
  const chart = makeChart(figure, spec.title, spec.height, width => {
    bins = binsFor(width - gapsFor(width).left - gapsFor(width).right);
    return {
      rows: stepRows(bins, i => spec.row(bins, i)), lines: spec.lines, banded: spec.banded, fill: spec.fill, plotter: spec.plotter && spec.plotter(bins),
      y: spec.y, gaps: gapsFor(width), format: { x: clock, y: spec.format },
      x: { range: [0, END_S * 1.0001], ticks: timeTicks(0, END_S, width < NARROW ? 4 : 7), shown: Boolean(spec.last) },
      below: area => {
        ground(area);
        spec.below && spec.below(area, bins);
        eventLines(area);
      },
      over: area => {
        if (spec.first) {
          NUMBERED.forEach(event => area.place(area.x(event.began_s) - 9, -22, event.number, 'n'));
          if (area.x(WARM_S) - area.x(0) > 62) area.place(area.x(WARM_S) - 6, height(area) - 22, 'warm-up', 'left');
        }
        spec.over && spec.over(area, bins);
        panel.read();
      },
    };
  });
  const height = area => area.box().y + area.box().h;
  if (spec.first) chart.plot.classList.add('first');
  const panel = {
    read() {
      chart.overlay.querySelectorAll('.cross').forEach(element => element.remove());
      const i = cursor === null ? -1 : Math.floor(cursor / bins.bin_s);
      output.textContent = '';
      if (i < 0 || i >= bins.count || !chart.graph()) return;
      const box = chart.graph().getArea();
      const cross = put(chart.overlay, 'div', { class: 'cross' });
      cross.style.left = `${chart.graph().toDomXCoord((i + 0.5) * bins.bin_s)}px`;
      cross.style.top = `${box.y}px`;
      cross.style.height = `${box.h}px`;
      output.textContent = `${clock(i * bins.bin_s)}  ${spec.read(bins, i)}`;
    },
  };
  panels.push(panel);
  chart.plot.tabIndex = 0;
  chart.plot.addEventListener('pointermove', event => {
    const seconds = chart.graph().toDataXCoord(event.clientX - chart.plot.getBoundingClientRect().left);
    moveCursor(seconds >= 0 && seconds < END_S ? seconds : null);
  });
  chart.plot.addEventListener('pointerleave', () => moveCursor(null));
  chart.plot.addEventListener('blur', () => moveCursor(null));
  chart.plot.addEventListener('keydown', event => {
    const step = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (event.key === 'Escape') moveCursor(null);
    if (!step) return;
    event.preventDefault();
    const last = (bins.count - 1) * bins.bin_s, from = cursor === null ? (step > 0 ? -step * bins.bin_s : last - step * bins.bin_s) : cursor;
    moveCursor(Math.max(0, Math.min(last, Math.floor(from / bins.bin_s) * bins.bin_s + step * bins.bin_s)));
  });
  foldedTable(figure, spec.title, spec.table[0], () => SERIES.mean.map((_, i) => [clock(i * SERIES.bin_s), ...spec.table[1](i)]));
};

const rightLabel = (area, y, kind, text, note) => {
  if (area.width < NARROW) return;
  put(area.place(area.right() + 10, y - 8, '', kind), 'b', {}, text);
  if (note) area.place(area.right() + 10, y + 7, note);
};

/* A mean of answers over a second may lie outside of its ticks when an agent was late in one: the band takes it in. */
const bandOf = (bins, i, low, value, high) => {
  const [a, b, c] = [bins[low][i], bins[value][i], bins[high][i]];
  return b === null ? [null, null, null] : [Math.min(a ?? b, b), b, Math.max(c ?? b, b)];
};

const GOALS = SERIES.goal;
const IS_HOLD = GOAL.kind === 'hold', IS_SEARCH = (GOAL.kind || '').startsWith('maximize');
const TOLERANCE = GOAL.tolerance || 0;

const goalPoints = (area, bins, factor) => bins.goal.flatMap((goal, i) => goal === null ? []
  : [[area.x(i * bins.bin_s), area.y(goal * factor)], [area.x(Math.min((i + 1) * bins.bin_s, END_S)), area.y(goal * factor)]]);

const drawGoal = (area, bins) => {
  const above = goalPoints(area, bins, 1 + TOLERANCE), under = goalPoints(area, bins, 1 - TOLERANCE).reverse();
  if (!above.length) return;
  area.context.fillStyle = faded('hold', 0.25);
  area.context.beginPath();
  [...above, ...under].forEach(([x, y], i) => i ? area.context.lineTo(x, y) : area.context.moveTo(x, y));
  area.context.fill();
  stroke(area, goalPoints(area, bins, 1), colour('ink'), [6, 4], 1.25);
};

const throughputTitle = () => {
  if (IS_HOLD) {
    const seconds = SERIES.mean.map((value, i) => [value, GOALS[i]]).filter(([value, goal], i) => i * SERIES.bin_s >= WARM_S && value !== null && goal > 0);
    const band = Math.max(TOLERANCE, 0.02), off = seconds.filter(([value, goal]) => Math.abs(value / goal - 1) > band).length * SERIES.bin_s;
    const goal = GOAL.text && GOAL.text.includes(' in ') ? 'the schedule' : rate(GOAL.value_per_s);
    if (seconds.length && off === 0) return `Throughput stayed within ${percent(band)} of ${goal}, second by second`;
    if (seconds.length && off <= seconds.length * SERIES.bin_s / 3) return `Throughput stayed within ${percent(band)} of ${goal} but for ${off}${NO_BREAK}s`;
    return 'Throughput and goal';
  }
  const answer = RESULT.control && RESULT.control.answer;
  if (IS_SEARCH && answer) return `Throughput rose to ${rate(answer.throughput_per_s)}, and the search converged at ${clockTenths(answer.converged_ns / 1e9)}`;
  return 'Throughput';
};

const throughputPanel = () => {
  const top = highest([...SERIES.highest, ...SERIES.mean, ...(IS_HOLD ? GOALS.map(goal => goal * 1.1) : [])]);
  timePanel({
    id: 'throughput', first: true, height: 196, title: throughputTitle(), banded: true, fill: 0.24,
    key: [['throughput', 'throughput, requests per second'], ...(IS_HOLD ? [['soft', `dashed: goal; grey: its tolerance, ±${NO_BREAK}${percent(TOLERANCE)}`]] : [])],
    y: scaleFromZero(top || 1), format: tickCount,
    lines: [{ name: 'throughput', colour: 'throughput' }],
    row: (bins, i) => [bandOf(bins, i, 'lowest', 'mean', 'highest')],
    read: (bins, i) => bins.mean[i] === null ? 'nothing is known' : `${rate(bins.mean[i])}  ticks ${perSecond(bins.lowest[i] ?? bins.mean[i])}–${perSecond(bins.highest[i] ?? bins.mean[i])}`,
    table: [['from', 'mean /s', 'lowest tick', 'highest tick', 'goal'], i => [SERIES.mean[i], SERIES.lowest[i], SERIES.highest[i], SERIES.goal[i]].map(value => value === null ? null : perSecond(value))],
    below: (area, bins) => { if (IS_HOLD) drawGoal(area, bins); },
    over: area => {
      const at = RESULT.throughput_per_s;
      if (IS_HOLD && GOAL.value_per_s) {
        const apart = Math.abs(area.y(at) - area.y(GOAL.value_per_s)) >= 16, above = at <= GOAL.value_per_s;
        rightLabel(area, area.y(GOAL.value_per_s) + (apart ? 0 : above ? -9 : 9), 'ink', `goal ${rate(GOAL.value_per_s)}`);
        if (at) rightLabel(area, area.y(at) + (apart ? 0 : above ? 9 : -9), 'throughput', `mean ${rate(at)}`);
      } else if (at) rightLabel(area, area.y(at), 'throughput', `mean ${rate(at)}`);
    },
  });
};

const concurrencyTitle = () => {
  const change = NUMBERED.find(event => event.kind === 'latency_changed');
  const final = RESULT.control && RESULT.control.concurrency_final;
  if (!final) return 'Concurrency';
  const at = change && Math.floor(change.began_s / SERIES.bin_s);
  const before = change && mean(SERIES.workers.slice(Math.max(0, at - 5), at));
  if (IS_HOLD && before && Math.abs(final / before - 1) > 0.2)
    return `Workers found: ${workers(before)}, then ${workers(final)} for the same rate, because latency changed at ${mark(change)}`;
  if (IS_HOLD) return `Workers found: ${workers(final)}`;
  if (IS_SEARCH && RESULT.control.answer) return `Workers tried, and found enough: ${workers(RESULT.control.answer.concurrency)}`;
  return `Workers: ${workers(final)}`;
};

const concurrencyPanel = () => timePanel({
  id: 'concurrency', height: 136, title: concurrencyTitle(), banded: true, fill: 0.24,
  key: [['concurrency', 'concurrency, workers over all agents']],
  y: scaleFromZero(highest(SERIES.workers_highest) || 1), format: tickCount,
  lines: [{ name: 'concurrency', colour: 'concurrency' }],
  row: (bins, i) => [bandOf(bins, i, 'workers_lowest', 'workers', 'workers_highest')],
  read: (bins, i) => bins.workers[i] === null ? 'nothing is known' : `${manyWorkers(bins.workers[i])}  ticks ${workers(bins.workers_lowest[i])}–${workers(bins.workers_highest[i])}`,
  table: [['from', 'mean', 'lowest tick', 'highest tick'], i => [SERIES.workers[i], SERIES.workers_lowest[i], SERIES.workers_highest[i]].map(value => value === null ? null : workers(value))],
  over: area => {
    const last = known(SERIES.workers).pop();
    if (last !== undefined) rightLabel(area, area.y(last), 'concurrency', manyWorkers(last));
  },
});

const latencyTitle = () => {
  const response = measured('response_p99'), service = measured('service_p99');
  const most = highest(response), served = highest(service);
  if (!Number.isFinite(most) || !Number.isFinite(served)) return 'Latency';
  const at = clock(WARM_S + response.indexOf(most) * SERIES.bin_s);
  if (most > 1.5 * served) return `Response p99 reached ${time(most)} at ${at} while the service never passed ${time(served)}: the rest is waiting for a worker`;
  return `Response p99 was never above ${time(most)}, service p99 never above ${time(served)}`;
};

const latencyPanel = () => {
  const keys = ['response_p50', 'response_p99', 'service_p50', 'service_p99'];
  const all = known(keys.flatMap(key => SERIES[key])).filter(value => value > 0);
  if (!all.length) return byId('latency').remove();
  const single = value => [value, value, value];
  timePanel({
    id: 'latency', height: 200, title: latencyTitle(), banded: true, fill: 0.13,
    key: [['response', 'response, from the due time (line)'], ['service', 'service, from the send (broad)'], ['soft', 'log scale; upper p99, lower p50; shaded: waiting']],
    y: scaleLog(lowest(all), highest(all)), format: tickTime,
    lines: [{ name: 'service p50', colour: 'service', alpha: 0.32, width: 4.5 }, { name: 'response p50', colour: 'response', width: 1.5 },
      { name: 'service p99', colour: 'service', alpha: 0.42, width: 6 }, { name: 'response p99', colour: 'response', width: 2 }],
    row: (bins, i) => {
      const [response, service] = [bins.response_p99[i], bins.service_p99[i]];
      const waiting = response === null || service === null ? single(response) : [Math.min(service, response), response, response];
      return [single(bins.service_p50[i]), single(bins.response_p50[i]), single(service), waiting];
    },
    read: (bins, i) => bins.response_p99[i] === null ? 'no request ended'
      : `response p50 ${time(bins.response_p50[i])} p99 ${time(bins.response_p99[i])}  service p50 ${time(bins.service_p50[i])} p99 ${time(bins.service_p99[i])}`,
    table: [['from', 'response p50 ms', 'p99', 'p99.9', 'service p50 ms', 'p99'],
      i => [SERIES.response_p50[i], SERIES.response_p99[i], SERIES.response_p999[i], SERIES.service_p50[i], SERIES.service_p99[i]].map(value => value === null ? null : significant(value))],
    over: area => {
      const p99 = known(SERIES.response_p99).pop(), p50 = known(SERIES.response_p50).pop();
      const apart = Math.max(0, 16 - (area.y(p50) - area.y(p99))) / 2;
      rightLabel(area, area.y(p99) - apart, 'response', `p99 ${time(p99)}`);
      rightLabel(area, area.y(p50) + apart, 'response', `p50 ${time(p50)}`);
    },
  });
};

/* At most five classes, in the order in which they appeared; the rest is one. */
const CLASS_KINDS = ['error1', 'error2', 'soft', 'hold', 'ink'];
const classesOf = bins => {
  if (bins.errors.length <= 5) return bins.errors;
  const rest = bins.errors.slice(4);
  return [...bins.errors.slice(0, 4), { name: 'other', counts: rest[0].counts.map((_, i) => sum(rest.map(({ counts }) => counts[i]))) }];
};
const errorsIn = (errors, i) => sum(errors.map(({ counts }) => counts[i]));

const errorsTitle = totals => {
  const all = sum(totals), seconds = Math.max(1, Math.round(2 / SERIES.bin_s));
  let best = 0, at = 0;
  totals.forEach((_, i) => {
    const here = sum(totals.slice(i, i + seconds));
    if (here > best) [best, at] = [here, i];
  });
  if (best > all / 2 && totals.length > 4 * seconds && best > 1)
    return `${count(all)} errors, ${count(best)} of them in the ${count(seconds * SERIES.bin_s)}${NO_BREAK}s from ${clock(at * SERIES.bin_s)}`;
  return `${count(all)} error${all === 1 ? '' : 's'}, over the whole run`;
};

const errorBars = bins => event => {
  if (event.seriesIndex !== 0) return;
  const { drawingContext: context, dygraph: graph } = event, errors = classesOf(bins), floor = graph.toDomYCoord(0);
  for (let i = 0; i < bins.count; i++) {
    const left = graph.toDomXCoord(i * bins.bin_s), width = Math.max(1, graph.toDomXCoord((i + 1) * bins.bin_s) - left - 1.5);
    let under = 0;
    errors.forEach(({ counts }, c) => {
      if (!counts[i]) return;
      const top = graph.toDomYCoord((under + counts[i]) / bins.bin_s), bottom = under ? graph.toDomYCoord(under / bins.bin_s) - 1 : floor;
      context.fillStyle = colour(CLASS_KINDS[c]);
      context.fillRect(left, Math.min(top, bottom - 1), width, Math.max(1, bottom - top));
      under += counts[i];
    });
  }
};

const errorsPanel = () => {
  const totals = SERIES.mean.map((_, i) => errorsIn(SERIES.errors, i));
  const classes = classesOf(SERIES);
  if (!sum(totals)) {
    titled(byId('errors'), 'No request failed', [['soft', 'no error, and so no chart of errors']]);
    return false;
  }
  timePanel({
    id: 'errors', last: true, height: 122, title: errorsTitle(totals),
    key: [...classes.map(({ name, counts }, i) => [CLASS_KINDS[i], `${name} ${count(sum(counts))}`]), ['soft', 'errors per second']],
    y: scaleFromZero(highest(totals) / SERIES.bin_s), format: tickCount,
    lines: [{ name: 'errors', colour: 'error1' }], plotter: errorBars,
    row: (bins, i) => [errorsIn(bins.errors, i) / bins.bin_s],
    read: (bins, i) => classesOf(bins).map(({ name, counts }) => `${name} ${count(counts[i])}`).join('  '),
    table: [['from', ...SERIES.errors.map(({ name }) => name)], i => SERIES.errors.map(({ counts }) => count(counts[i]))],
  });
  return true;
};

const timeCharts = () => {
  throughputPanel();
  concurrencyPanel();
  latencyPanel();
  errorsPanel();
  const bin = SERIES.bin_s === 1 ? 'second' : `${SERIES.bin_s}${NO_BREAK}s`;
  byId('time-note').textContent = `Line: mean of each ${bin}. Band: lowest and highest 100${NO_BREAK}ms tick in it in which all agents reported. Grey: warm-up, not counted. `
    + (SERIES.bin_s === 1 ? 'Percentiles: of all answers in the second, from merged histograms, never an average of percentiles. '
      : `Percentiles: the highest of the ${SERIES.bin_s} seconds of each bin, for they cannot be averaged. `)
    + 'Where a second has less than two pixels, neighbours are joined in the same way. Point at a chart, or focus it and use ← →, to read one moment in all of them.';
};
