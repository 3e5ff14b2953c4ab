/* The page, from the top. A record may come from anywhere, so one section that cannot be drawn does not take the others
   with it. */

const attempt = work => {
  try {
    work();
  } catch (error) {
    console.error(`${work.name}: ${error.message}`);
  }
};

[timeCharts, distribution, capacity, answers, agents, ledger, thresholds, latencyFigures, plan, environment].forEach(attempt);

const drawAll = () => [...charts.map(chart => chart.draw), ...draws].forEach(draw => attempt(draw));
drawAll();

let drawnWidth = document.body.clientWidth;
new ResizeObserver(() => {
  if (document.body.clientWidth === drawnWidth) return;
  drawnWidth = document.body.clientWidth;
  drawAll();
}).observe(document.body);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);

/* Paper is light, and canvases keep the colours that they were drawn with. */
const printing = on => {
  document.documentElement.classList.toggle('printing', on);
  drawAll();
};
addEventListener('beforeprint', () => printing(true));
addEventListener('afterprint', () => printing(false));
