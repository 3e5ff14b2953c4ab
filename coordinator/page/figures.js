/* Tables in the open: latency in figures, the plan, the environment. */

const LATENCY_ROWS = [['mean', 'mean_ns'], ['p50', 'p50_ns'], ['p90', 'p90_ns'], ['p95', 'p95_ns'], ['p99', 'p99_ns'], ['p99.9', 'p999_ns'], ['p99.99', 'p9999_ns'], ['longest', 'max_ns']];

const latencyFigures = () => {
  const latency = RESULT.latency;
  if (!latency) return;
  show('figures-section');
  const kinds = ['response', 'service', 'first_byte', 'connect', 'tls'].filter(kind => latency[kind] && latency[kind].max_ns > 0);
  const requests = (RESULT.requests || []).length > 1 ? RESULT.requests : [];
  const columns = [...kinds.map(kind => ({ name: kind.replace('_', ' '), class: kind, of: latency[kind] })), ...requests.map(({ name, latency: of }) => ({ name, of }))];
  const cell = (column, key) => {
    const longest = key === 'max_ns' && RESULT.longest_timed_out && column.class !== 'connect' && column.class !== 'tls' ? '≥ ' : '';
    return column.of[key] ? longest + time(column.of[key] / 1e6) : '–';
  };
  const rows = LATENCY_ROWS.map(([name, key]) => [name, ...columns.map(column => cell(column, key))]);
  if (requests.length) {
    rows.push(['ok', ...kinds.map(() => ''), ...requests.map(({ ok }) => count(ok))]);
    rows.push(['failed', ...kinds.map(() => ''), ...requests.map(({ failed }) => count(failed))]);
  }
  table(byId('latency-table'), '', ['', ...columns.map(column => ({ text: column.name, class: column.class }))], rows);
};

const plan = () => {
  if (!RESULT.plan) return;
  show('plan-section');
  byId('plan').textContent = RESULT.plan;
};

const environment = () => {
  show('environment-section');
  const list = byId('environment'), connections = RESULT.connections, bytes = RESULT.bytes;
  fact(list, 'clobber', RESULT.clobber_version || 'not known');
  fact(list, 'run', `${RESULT.run_id}${RESULT.seed === undefined ? '' : `, seed ${RESULT.seed}`}`);
  fact(list, 'started', RESULT.started_at || 'not known');
  fact(list, 'target', RESULT.target || START.target || 'not known');
  fact(list, 'agents', (RESULT.agents || []).map(agent => agent.host ? `${agent.name} on ${agent.host}` : agent.name).slice(0, 12).join(', ') || 'none');
  if (START.endpoint) fact(list, 'transport', RESULT.plaintext ? `${START.endpoint}, in plaintext` : START.endpoint);
  if (connections) fact(list, 'connections', `${count(connections.opened)} opened, used again ${count(connections.reused)} times`);
  if (bytes) fact(list, 'bytes', `${count(bytes.sent)} sent, ${count(bytes.received)} received`);
  if (RESULT.statuses && Object.keys(RESULT.statuses).length) fact(list, 'statuses', Object.entries(RESULT.statuses).map(([status, times]) => `${status}: ${count(times)}`).join(', '));
  fact(list, 'files', 'report.html, result.json, run.jsonl, latency.hgrm');
};
