/* What a search saw: throughput and latency against the workers in flight, with the answer marked. */

const capacity = () => {
  const control = RESULT.control || {}, curve = control.curve || [], answer = control.answer;
  if (curve.length < 2) return;
  show('capacity-section');
  const figure = byId('capacity'), [low, high] = control.interval_95_per_s || [null, null];
  const half = high !== null ? ` ± ${high > 100 ? count((high - low) / 2) : perSecond((high - low) / 2)}` : '';
  titled(figure, answer ? `${rate(answer.throughput_per_s)}${half} with ${manyWorkers(answer.concurrency)}; more only wait` : 'Throughput against workers',
    [['throughput', 'throughput, /s'], ['soft', 'dashed: if no request ever waited'], ['service', 'latency below: mean of the service'], ...(curve[0].latency_quantile_ns ? [['response', 'bounded percentile']] : [])]);
  const points = curve.filter(point => point.concurrency > 0);
  const from = Math.log2(lowest(points.map(point => point.concurrency))), to = Math.log2(highest(points.map(point => point.concurrency)));
  const x = { range: [from - 0.3, to + 0.3], ticks: Array.from({ length: Math.ceil(to) - Math.floor(from) + 1 }, (_, i) => Math.floor(from) + i).filter(tick => tick >= from - 0.3 && tick <= to + 0.3) };
  const gaps = { left: 52, right: 24 }, format = value => workers(2 ** value);
  const alone = points[0].throughput_per_s / points[0].concurrency;
  const top = highest(points.map(point => point.throughput_per_s));
  makeChart(figure, 'Throughput against workers', 230, () => ({
    rows: points.map(point => [Math.log2(point.concurrency), point.throughput_per_s]),
    lines: [{ name: 'throughput', colour: 'throughput', step: false, dots: 3, ring: true }],
    y: scaleFromZero(top * 1.1), x: { ...x, shown: false }, gaps, format: { x: format, y: tickCount },
    below: area => {
      if (low !== null) {
        area.context.fillStyle = faded('throughput', 0.2);
        area.context.fillRect(area.left, area.y(high), area.w, Math.max(1, area.y(low) - area.y(high)));
      }
      const ideal = Array.from({ length: 60 }, (_, i) => from + (to - from) * i / 59).filter(at => alone * 2 ** at <= top * 1.1);
      stroke(area, ideal.map(at => [area.x(at), area.y(alone * 2 ** at)]), colour('soft'), [5, 3], 1.5);
      if (answer) verticalLine(area, area.x(Math.log2(answer.concurrency)), colour('ink'), [6, 4], 1.25);
    },
    over: area => {
      if (!answer) return;
      const at = area.x(Math.log2(answer.concurrency));
      put(area.place(at - 8, area.y(answer.throughput_per_s) - 24, '', 'throughput left'), 'b', {}, rate(answer.throughput_per_s));
      area.place(at - 7, area.y(top * 0.14), `knee: ${manyWorkers(answer.concurrency)}`, 'ink left');
      if (low !== null) area.place(area.box().x + 8, area.y(high) - 18, `95${NO_BREAK}%: ${perSecond(low)}–${perSecond(high)}`);
    },
  }));
  const bounded = points.some(point => point.latency_quantile_ns > 0);
  const slowest = highest(points.flatMap(point => [point.latency_mean_ns, point.latency_quantile_ns || 0])) / 1e6;
  makeChart(figure, 'Latency against workers', 110, () => ({
    rows: points.map(point => [Math.log2(point.concurrency), point.latency_mean_ns ? point.latency_mean_ns / 1e6 : null, ...(bounded ? [point.latency_quantile_ns ? point.latency_quantile_ns / 1e6 : null] : [])]),
    lines: [{ name: 'mean', colour: 'service', step: false }, ...(bounded ? [{ name: 'percentile', colour: 'response', step: false }] : [])],
    y: scaleFromZero(slowest || 1), x, gaps, format: { x: format, y: tickTime },
    below: area => { if (answer) verticalLine(area, area.x(Math.log2(answer.concurrency)), colour('ink'), [6, 4], 1.25); },
  }));
  put(figure, 'p', { class: 'note' }, 'Workers in flight, log scale. Every ring: means over all the time that the search spent there, warm-up included.');
  foldedTable(figure, 'What the search tried', ['workers', 'throughput /s', 'mean latency ms', ...(bounded ? ['percentile ms'] : []), 'seconds'],
    () => points.map(point => [significant(point.concurrency), perSecond(point.throughput_per_s), significant(point.latency_mean_ns / 1e6),
      ...(bounded ? [significant((point.latency_quantile_ns || 0) / 1e6)] : []), significant(point.seconds)]));
};
