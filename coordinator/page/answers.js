/* How the controller answered the start and what came later: four seconds of ticks around each. */

const MOMENT_S = 4, MOMENTS_SHOWN = 6;

/* Seconds after `from` until a second of ticks stays within the band, or null: not in sight. */
const settledAfter = (ticks, from) => {
  const later = ticks.filter(([t]) => t > from), band = Math.max(TOLERANCE, 0.02);
  for (let i = 0; i + 10 <= later.length; i++) {
    const rest = later.slice(i, i + 10), goal = rest[0][3];
    if (goal > 0 && Math.abs(mean(rest.map(([, per]) => per)) / goal - 1) <= band && Math.abs(rest[0][1] / goal - 1) <= 3 * band) return rest[0][0] - 0.1 - from;
  }
  return null;
};

const momentsShown = () => DATA.moments.map(({ event, ticks }) => {
  const cause = event === null ? null : DATA.events[event];
  const at = cause ? cause.began_s : 0;
  const from = cause ? Math.max(0, at - 0.5) : 0;
  return { cause, at, from, ticks: ticks.filter(([t]) => t > from && t <= from + MOMENT_S), all: ticks };
}).filter(({ cause, ticks }) => ticks.length > 3 && (!cause || cause.number > 0)).slice(0, MOMENTS_SHOWN);

const answerFigure = (moment, top, most) => {
  const figure = put(byId('answers'), 'figure'), { cause, at, from, ticks } = moment;
  const took = IS_HOLD ? settledAfter(moment.all, at) : null;
  const name = cause ? cause.kind.replace(/_/g, ' ') : 'start';
  const head = put(figure, 'h3');
  if (cause) put(head, 'span', { class: 'n' }, cause.number);
  head.append(`${cause ? ' ' : ''}${name[0].toUpperCase()}${name.slice(1)}${took === null ? '' : `: settled in ${seconds(took)}`}`);
  const x = { range: [from, from + MOMENT_S * 1.001], ticks: timeTicks(from, from + MOMENT_S, 5) }, gaps = { left: 46, right: 8 };
  const grey = area => { if (took !== null) fillBox(area, at, at + took, colour('band')); };
  makeChart(figure, `${name}: throughput`, 104, () => ({
    rows: ticks.map(([t, per]) => [t - 0.05, per]),
    lines: [{ name: 'throughput', colour: 'throughput', width: 0, dots: 2.3, step: false }],
    y: { ...scaleFromZero(top), ticks: scaleFromZero(top).ticks.filter((_, i, all) => i === 0 || i === all.length - 1) },
    x: { ...x, shown: false }, gaps, format: { x: clock, y: tickCount },
    below: area => {
      grey(area);
      if (IS_HOLD) stroke(area, ticks.flatMap(([t, , , goal]) => [[area.x(t - 0.1), area.y(goal)], [area.x(t), area.y(goal)]]), colour('ink'), [6, 4], 1.25);
      if (cause) verticalLine(area, area.x(at), faded('ink', 0.75), [2, 3]);
    },
    over: area => { if (took > 0.05) put(area.place(area.x(at + took) + 5, area.box().y + area.box().h - 20, '', 'ink'), 'b', {}, seconds(took)); },
  }));
  makeChart(figure, `${name}: workers`, 74, () => ({
    rows: [...ticks.map(([t, , c]) => [t - 0.1, c]), ...ticks.slice(-1).map(([t, , c]) => [t, c])],
    lines: [{ name: 'workers', colour: 'concurrency' }],
    y: { ...scaleFromZero(most), ticks: scaleFromZero(most).ticks.filter((_, i, all) => i === 0 || i === all.length - 1) },
    x, gaps, format: { x: clock, y: tickCount }, below: grey,
    over: area => {
      const last = ticks[ticks.length - 1][2], y = area.y(last);
      put(area.place(area.right(), y < 22 ? y + 3 : y - 19, '', 'concurrency left'), 'b', {}, manyWorkers(last));
    },
  }));
  if (cause) put(figure, 'p', { class: 'note' }, cause.sentence);
};

const signed = share => `${share < 0 ? '−' : ''}${percent(Math.abs(share))}`;

const controlFacts = control => {
  const list = byId('control-facts');
  if (control.settled !== null && control.settled !== undefined)
    fact(list, IS_SEARCH ? 'Converged' : 'Settled', control.settled ? `yes, in ${seconds(control.settle_ns / 1e9)}` : 'never');
  if (IS_HOLD && control.overshoot !== undefined) fact(list, 'Overshoot', percent(control.overshoot));
  if (IS_HOLD && control.error_mean !== undefined) fact(list, 'Mean error of 1 s means', signed(control.error_mean));
  if (IS_HOLD && control.error_p95 !== undefined) fact(list, `95${NO_BREAK}% of 1 s means within`, `±${NO_BREAK}${percent(control.error_p95)}`);
  if (control.concurrency_mean) fact(list, 'Workers mean, p95', [control.concurrency_mean, control.concurrency_p95].filter(Boolean).map(workers).join(', '));
  const ceiling = control.saturated_at;
  fact(list, 'Ceiling seen', ceiling ? `${rate(ceiling.throughput_per_s)} with ${manyWorkers(ceiling.concurrency)}` : 'none');
};

const answers = () => {
  const moments = momentsShown();
  if (!moments.length || GOAL.kind === 'concurrency') return;
  show('answers-section');
  const top = highest(moments.flatMap(({ ticks }) => ticks.map(([, per, , goal]) => Math.max(per, IS_HOLD ? goal * 1.1 : 0))));
  const most = highest(moments.flatMap(({ ticks }) => ticks.map(([, , c]) => c)));
  moments.forEach(moment => answerFigure(moment, top || 1, most || 1));
  controlFacts(RESULT.control || {});
};
