/* Agents: small multiples, one scale a column. They have no colours: they have rows. */

const CPU_FULL = 85; /* per cent: from there on the generator is said to be the limit */

/* What is told of an agent after it was heard last is what was granted to it, not what it did. One that came back goes on. */
const SILENCE_S = 10;
const cutSilence = row => ['share', 'cpu', 'lag_ms'].forEach(key => {
  const from = Math.floor(row.lostFrom / DATA.agents.bin_s);
  row[key] = row[key].map((value, i) => i >= from && i * DATA.agents.bin_s < row.lostFrom + SILENCE_S ? null : value);
});

const draws = [];
/* A small drawing that is made anew when its width changes. */
const sketch = (host, height, label, paint) => {
  const svg = put(host, 'svg', { role: 'img', 'aria-label': label, height });
  draws.push(() => {
    const width = host.clientWidth;
    if (!width) return;
    svg.replaceChildren();
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    paint(svg, width, height);
  });
};

const stepPath = (values, x, y) => {
  let path = '', pen = false;
  values.forEach((value, i) => {
    if (value === null) { pen = false; return; }
    path += `${pen ? 'L' : 'M'}${x(i).toFixed(1)} ${y(value).toFixed(1)}H${x(i + 1).toFixed(1)}`;
    pen = true;
  });
  return path;
};

const lastKnown = values => values.reduce((found, value, i) => value === null ? found : i, -1);

const agentCell = (grid, agent, [key, top, kind, show, limit]) => {
  const cell = put(grid, 'div'), values = agent[key], bin = DATA.agents.bin_s;
  sketch(cell, 46, `${agent.name}: ${key}`, (svg, width, height) => {
    const right = 58, x = i => Math.min(i * bin, END_S) / END_S * (width - right), y = value => height - 4 - Math.min(value, top) / top * (height - 8);
    put(svg, 'rect', { class: 'warm', x: 0, y: 4, width: WARM_S / END_S * (width - right), height: height - 8 });
    put(svg, 'line', { class: 'axis', x1: 0, x2: width - right, y1: y(0), y2: y(0) });
    if (limit) put(svg, 'line', { class: 'limit', x1: 0, x2: width - right, y1: y(limit), y2: y(limit) });
    put(svg, 'path', { class: `line thin ${kind}`, d: stepPath(values, x, y) });
    const end = lastKnown(values);
    if (end < 0) return;
    const lost = agent.lostFrom !== null, at = [x(end + 1), y(values[end])];
    if (lost) put(svg, 'path', { class: 'line error1', d: `M${at[0] - 4} ${at[1] - 4}l8 8m0 -8l-8 8` });
    else put(svg, 'circle', { class: `dot ${kind}`, cx: at[0], cy: at[1], r: 2.5 });
    put(svg, 'text', { class: `strong ${lost ? 'error1' : kind}`, x: lost ? at[0] + 8 : width - right + 6, y: Math.min(height - 8, Math.max(14, at[1] + 4)) }, lost ? `lost ${width < 190 ? '' : clock(agent.lostFrom)}` : show(values[end]));
  });
};

const agentsTitle = (rows, all) => {
  const busiest = highest(rows.flatMap(row => row.cpu)), lost = rows.filter(row => row.lostFrom !== null);
  const whole = value => `${Math.round(value)}${NO_BREAK}%`;
  const first = lost.length ? `${lost.length} of ${all} lost; ` : '';
  return busiest < CPU_FULL ? `${first}${lost.length ? 'none' : all === 1 ? 'The agent was never' : 'None was'} above ${whole(busiest)} CPU in any second, so the generators were not the limit`
    : `${first}the busiest was at ${whole(busiest)} CPU`;
};

const agents = () => {
  const { rows, all } = DATA.agents;
  if (!rows.length) return;
  show('agents-section');
  const said = new Map((RESULT.agents || []).map(agent => [agent.name, agent]));
  rows.forEach(row => {
    const known = said.get(row.name) || {};
    row.host = known.host || '';
    row.lostFrom = known.lost_from_ns ? known.lost_from_ns / 1e9 : null;
    if (row.lostFrom !== null && row.share.length * DATA.agents.bin_s > row.lostFrom + SILENCE_S) cutSilence(row);
  });
  const figure = byId('agents');
  put(figure, 'h3', {}, agentsTitle(rows, all));
  const share = scaleFromZero(highest(rows.flatMap(row => row.share)) || 1).range[1], lag = scaleFromZero(highest(rows.flatMap(row => row.lag_ms)) || 0.1).range[1];
  const columns = [['share', share, 'throughput', value => `${Math.round(value)}${NO_BREAK}%`], ['cpu', 100, 'soft', value => `${Math.round(value)}${NO_BREAK}%`, CPU_FULL], ['lag_ms', lag, 'soft', value => time(value)]];
  const grid = put(figure, 'div', { class: 'agents' });
  put(grid, 'div', { class: 'h' });
  [['Share of the load', `0–${Math.round(share)}${NO_BREAK}%`], ['CPU, busiest lane', `0–100${NO_BREAK}%, dashed: ${CPU_FULL}${NO_BREAK}%`], ['Send lag, longest', `0–${time(lag)}`]].forEach(([name, scale]) => {
    const head = put(grid, 'div', { class: 'h' });
    put(head, 'b', {}, name);
    head.append(scale);
  });
  rows.forEach(row => {
    const name = put(grid, 'div', { class: 'a' });
    put(name, 'b', {}, row.name);
    name.append(row.host);
    columns.forEach(column => agentCell(grid, row, column));
  });
  if (all > rows.length) put(figure, 'p', { class: 'note' }, `${rows.length} of ${count(all)} agents: who was lost, then the busiest. The table below has the totals of all.`);
  foldedTable(figure, 'Agents', ['agent', 'host', 'started', 'ok', 'failed', 'timed out', 'share', 'CPU', 'send lag p99'],
    () => (RESULT.agents || []).map(agent => [agent.name, agent.host, ...[agent.started, agent.ok, agent.failed, agent.timed_out].map(value => value === undefined ? null : count(value)),
      percent(agent.share || 0), agent.cpu === undefined ? null : percent(agent.cpu), agent.send_lag_p99_ns === undefined ? null : time(agent.send_lag_p99_ns / 1e6)]));
};
