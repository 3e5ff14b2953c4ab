/* Latency by percentile: each equal step to the right is ten times rarer. */

const LATENCY_BOUND = /^latency\.p\(([\d.]+)\)$/;

/* The first threshold on a percentile of the response, as [rarity, ms, text]. */
const latencyBound = () => {
  for (const threshold of RESULT.thresholds || []) {
    const found = LATENCY_BOUND.exec(threshold.text.split(/\s*[<>]/)[0].trim());
    if (found && threshold.bound) return [1 / (1 - Number(found[1]) / 100), threshold.bound / 1e6, threshold.text];
  }
  return null;
};

/* A bound far above all that was measured would press the lines flat; the thresholds have it. */
const boundInSight = longest => {
  const bound = latencyBound();
  return bound && bound[1] <= 4 * longest ? bound : null;
};

const percentileName = rarity => rarity <= 1 ? '0' : String(Number((100 * (1 - 1 / rarity)).toPrecision(Math.max(2, Math.ceil(Math.log10(rarity)) + 1))));

const distribution = () => {
  const points = DATA.distribution;
  if (points.length < 2) return;
  show('distribution-section');
  const figure = byId('distribution'), { response, service } = RESULT.latency;
  titled(figure, `1 in 100 waited ${time(response.p99_ns / 1e6)} or longer; the service alone kept 99${NO_BREAK}% under ${time(service.p99_ns / 1e6)}`,
    [['response', 'response (line)'], ['service', 'service (broad)'], ['soft', 'log scale']]);
  const values = known(points.flatMap(([, a, b]) => [a, b])).filter(value => value > 0), last = points[points.length - 1];
  const rarest = Math.log10(last[0]), single = value => [value, value, value], bound = boundInSight(last[1]);
  makeChart(figure, 'Latency by percentile', 320, width => ({
    rows: points.map(([rarity, a, b]) => [Math.log10(rarity), single(b), a === null || b === null ? single(a) : [Math.min(a, b), a, a]]),
    lines: [{ name: 'service', colour: 'service', alpha: 0.42, width: 6, step: false }, { name: 'response', colour: 'response', step: false }],
    banded: true, fill: 0.13, y: scaleLog(lowest(values), highest([...values, bound ? bound[1] : 0])),
    x: { range: [0, rarest * 1.03], ticks: [...(width < 480 ? [] : [0]), Math.log10(2), ...Array.from({ length: Math.floor(rarest) }, (_, i) => i + 1)] },
    gaps: { left: 52, right: 10 }, format: { x: value => percentileName(10 ** value), y: tickTime },
    below: area => {
      if (!bound || bound[0] > last[0]) return;
      const x = area.x(Math.log10(bound[0])), y = area.y(bound[1]);
      stroke(area, [[area.left, y], [x, y], [x, area.top + area.h]], colour('ink'), [6, 4], 1.25);
    },
    over: area => {
      if (bound && bound[0] <= last[0]) area.place(area.box().x + 8, area.y(bound[1]) - 19, width < 480 ? bound[2] : `threshold ${bound[2]}`, 'ink');
      [['p99_ns', 2], ['p999_ns', 3]].forEach(([key, at]) => {
        if (at > rarest) return;
        const a = response[key] / 1e6, b = service[key] / 1e6, near = Math.abs(area.y(a) - area.y(b)) < 14;
        put(area.place(area.x(at) - 6, area.y(a) - 19, '', 'response left'), 'b', {}, time(a));
        if (!near) put(area.place(area.x(at) + 6, area.y(b) + 3, '', 'service'), 'b', {}, time(b));
      });
      area.place(area.x(rarest) - 4, area.y(last[1]) - 19, RESULT.longest_timed_out ? `timed out: ≥ ${time(RESULT.timeout_ns / 1e6)}` : `longest ${time(last[1])}`, 'ink left');
    },
  }));
  const late = RESULT.ledger.timed_out || 0;
  put(figure, 'p', { class: 'note' }, 'Percentile; each equal step to the right is ten times rarer. All that ended after the warm-up.'
    + (late && RESULT.timeout_ns ? ` The ${count(late)} that timed out count as at least their ${time(RESULT.timeout_ns / 1e6)}, so the tail is not flattered.` : ''));
  foldedTable(figure, 'Latency by percentile', ['percentile', 'response ms', 'service ms'],
    () => points.map(([rarity, a, b], i) => [i === points.length - 1 ? '100' : percentileName(rarity), a === null ? null : significant(a), b === null ? null : significant(b)]));
};
