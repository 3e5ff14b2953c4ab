/* The ledger: the whole to scale, and what is not ok magnified below it. */

const ledger = () => {
  const entries = RESULT.ledger;
  if (!entries || !entries.planned) return;
  show('ledger-section');
  const figure = byId('ledger'), notOk = entries.started - entries.ok, lost = entries.lost_max || 0, all = notOk + lost;
  const balance = entries.balanced === true ? 'balanced' : entries.balanced === false ? 'NOT BALANCED' : 'as of the last tick';
  put(figure, 'h3', {}, `${count(entries.planned)} planned = ${count(entries.started)} started + ${count(entries.not_started)} not started: ${balance}`);
  sketch(figure, all ? 176 : 58, 'Ledger', (svg, width) => {
    const x = value => value / entries.planned * width, y = 26, high = 26;
    put(svg, 'text', { class: 'strong pass', x: 0, y: 16 }, `ok ${count(entries.ok)}`);
    put(svg, 'text', { x: width, y: 16, 'text-anchor': 'end' }, `grey: not started ${count(entries.not_started)}`);
    put(svg, 'rect', { class: 'bar pass', x: 0, y, width: x(entries.ok), height: high });
    if (notOk) put(svg, 'rect', { class: 'bar error1', x: x(entries.ok) + 0.5, y, width: Math.max(1.2, x(notOk) - 0.5), height: high });
    if (entries.not_started) put(svg, 'rect', { class: 'bar hold', x: Math.min(x(entries.started) + 1.5, width - 1.5), y, width: Math.max(1.5, width - x(entries.started) - 1.5), height: high });
    if (all) magnified(svg, width, entries, y + high, notOk, lost);
  });
  const most = entries.started + lost, least = entries.started - (entries.unwritten || 0);
  put(figure, 'p', { class: 'note' }, 'Whole run, warm-up included.'
    + (lost ? ' Lost: what agents may have started after their last word; a bound, outside the sum.' : '')
    + (entries.balanced === null ? '' : ` So the target was sent ${least === most ? `exactly ${count(least)}` : `${count(least)} to ${count(most)}`}.`)
    + (entries.imbalance ? ` What is off: ${entries.imbalance}.` : ''));
  foldedTable(figure, 'Ledger', ['entry', 'requests'], () => Object.entries(entries).map(([key, value]) => [key.replace(/_/g, ' '), typeof value === 'number' ? count(value) : String(value ?? 'not known')]));
};

const magnified = (svg, width, entries, under, notOk, lost) => {
  const all = notOk + lost, gap = lost ? 14 : 0, x = value => value / all * (width - gap), y = under + 34, high = 26;
  put(svg, 'path', { class: 'warm', d: `M${entries.ok / entries.planned * width} ${under + 2}L0 ${y}L${x(notOk)} ${y}L${entries.started / entries.planned * width + 1} ${under + 2}Z` });
  const parts = [['failed', entries.failed, 'error1'], ['timed out', entries.timed_out, 'error2'], ['in flight at end', entries.in_flight_at_end, 'soft'], ['lost, at most', lost, 'ink']].filter(([, value]) => value > 0);
  let sofar = 0;
  parts.forEach(([name, value, kind], i) => {
    const left = x(sofar) + (name.startsWith('lost') ? gap : 0), wide = Math.max(1, x(value) - 1.5), middle = left + wide / 2, label = i * width / Math.max(parts.length, 2);
    const attributes = { class: `bar ${kind}`, x: left, y, width: wide, height: high };
    if (name.startsWith('lost')) {
      const pattern = put(put(svg, 'defs'), 'pattern', { id: 'hatch', width: 6, height: 6, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' });
      put(pattern, 'rect', { class: 'bar ink', width: 2, height: 6 });
      Object.assign(attributes, { class: 'ink', fill: 'url(#hatch)' });
    }
    put(svg, 'rect', attributes);
    put(svg, 'path', { class: `line thin ${kind}`, d: `M${middle} ${y + high + 2}V${y + high + 8}L${label + 8} ${y + high + 18}V${y + high + 24}` });
    put(svg, 'text', { class: `strong ${kind}`, x: label, y: y + high + 40 }, `${name.startsWith('lost') ? '≤ ' : ''}${count(value)}`);
    put(svg, 'text', { x: label, y: y + high + 57 }, name);
    sofar += value;
  });
  put(svg, 'text', { x: 0, y: y - 7 }, `the ${count(notOk)} others, magnified ${count(Math.max(1, entries.planned / all))} ×`);
};
