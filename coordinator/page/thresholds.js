/* Thresholds: what was measured against its bound. */

const UNITS = { ns: value => time(value / 1e6), share: percent, per_s: rate };

const thresholds = () => {
  const all = RESULT.thresholds || [];
  if (!all.length) return;
  show('thresholds-section');
  const figure = byId('thresholds'), list = put(figure, 'ul', { class: 'thresholds' });
  all.forEach(threshold => {
    const item = put(list, 'li'), { value, bound, below, passed } = threshold;
    put(item, 'span', { class: `m ${passed ? 'pass' : 'fail'}` }, passed ? '✓ ok' : '✗ failed');
    put(item, 'code', {}, threshold.text);
    put(item, 'span', { class: 'value' }, (UNITS[threshold.unit] || String)(value ?? 0));
    if (!bound) return;
    sketch(put(item, 'div', { class: 'bullet' }), 16, threshold.text, (svg, width) => {
      const top = Math.max(bound * (below ? 1.25 : 1.05), passed ? 0 : Math.min(value, bound * 4)), x = amount => Math.min(amount / top, 1) * width;
      put(svg, 'rect', { class: 'warm', x: 0, y: 3, width, height: 10 });
      put(svg, 'rect', { class: `bar ${passed ? 'pass' : 'error1'}`, x: 0, y: 5, width: x(value || 0), height: 6 });
      put(svg, 'line', { class: 'line ink', x1: x(bound), x2: x(bound), y1: 0, y2: 16 });
    });
  });
  put(figure, 'p', { class: 'note' }, 'The tick is the bound; the bar is what was measured. After the warm-up, over the whole run.');
};
