/* The one place that speaks to dygraphs: charts that take the page's colours, redraw on a new size, palette or print, and
   carry labels, marks and a cursor as elements over the canvas. */

const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const faded = (name, alpha) => {
  const [r, g, b] = [1, 3, 5].map(at => parseInt(colour(name).slice(at, at + 2), 16));
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
};

/* 1, 2, 5, 10, 20, ... */
const steps125 = (from, to) => {
  const steps = [];
  for (let power = Math.floor(Math.log10(from)) - 1; power <= Math.log10(to) + 1; power++)
    [1, 2, 5].forEach(digit => steps.push(digit * 10 ** power));
  return steps.map(step => Number(step.toPrecision(1))).filter(step => step >= from && step <= to);
};
const scaleFromZero = top => {
  const step = steps125(1e-3, 1e12).find(candidate => top / candidate <= 4) || 1;
  const ticks = [];
  for (let value = 0; value <= top * 1.0001; value += step) ticks.push(value);
  return { range: [0, Math.max(top * 1.06, ticks[ticks.length - 1] * 1.02)], ticks };
};
const scaleLog = (least, most) => {
  const range = [least / 1.3, most * 1.3];
  const inside = steps => steps.filter(step => step >= range[0] && step <= range[1]);
  let ticks = inside(steps125(...range));
  if (ticks.length > 9) ticks = ticks.filter(tick => /^[1.0]+$/.test(String(tick)));
  if (ticks.length < 3) ticks = inside(steps125(range[0] / 10, range[1]).filter(step => /^[1.0]+$/.test(String(step))).flatMap(step => [1, 1.5, 2, 3, 4, 5, 7].map(digit => digit * step)));
  return { range, ticks, log: true };
};
const timeTicks = (from, to, room) => {
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 86400].find(s => (to - from) / s <= room) || 86400;
  const ticks = [];
  for (let t = Math.ceil(from / step) * step; t <= to + 1e-9; t += step) ticks.push(t);
  return ticks;
};

/* The others make text from options, or set style attributes, which the page's policy forbids. */
Dygraph.PLUGINS = [Dygraph.Plugins.Axes, Dygraph.Plugins.Grid];

const charts = [];

/* A chart in `host`, `height` px high. `build(width)` gives, each time it is drawn:
     rows, lines: [{name, colour, width, alpha, dash, fill, step, dots}], y: {range, ticks, log}, x: {range, ticks},
     format: {x, y}, gaps: {left, right}, below(area), over(area), plotter
   rows are [x, value...] or [x, [low, value, high]...] where `banded`. */
const makeChart = (host, label, height, build) => {
  const plot = put(host, 'div', { class: 'plot', role: 'img', 'aria-label': label });
  const canvas = put(plot, 'div');
  canvas.style.height = `${height}px`;
  const overlay = put(plot, 'div');
  let graph, width = 0;
  const place = (x, y, text, kind = '') => {
    const element = put(overlay, 'span', { class: `mark ${kind}` }, text);
    element.style.left = `${x}px`;
    element.style.top = `${y}px`;
    return element;
  };
  const draw = () => {
    width = plot.clientWidth;
    if (!width) return;
    if (graph) graph.destroy();
    overlay.replaceChildren();
    const wanted = build(width);
    const area = {
      x: value => graph.toDomXCoord(value), y: value => graph.toDomYCoord(value), place, width, height,
      box: () => graph.getArea(), right: () => graph.getArea().x + graph.getArea().w,
    };
    const axis = (ticks, format) => ({ ticker: () => ticks.map(value => ({ v: value, label: format(value) })) });
    graph = new Dygraph(canvas, wanted.rows, {
      width, height,
      labels: ['x', ...wanted.lines.map(line => line.name)],
      colors: wanted.lines.map(line => line.alpha ? faded(line.colour, line.alpha) : colour(line.colour)),
      series: Object.fromEntries(wanted.lines.map(line => [line.name, {
        strokeWidth: line.width ?? 2, strokePattern: line.dash || null, stepPlot: line.step !== false,
        drawPoints: Boolean(line.dots), pointSize: line.dots || 0, ...(wanted.plotter && { plotter: wanted.plotter }),
        ...(line.ring && { drawPointCallback: ring }),
      }])),
      customBars: Boolean(wanted.banded), fillAlpha: wanted.fill ?? 0.2,
      valueRange: wanted.y.range, logscale: Boolean(wanted.y.log), dateWindow: wanted.x.range,
      axes: {
        x: { ...axis(wanted.x.ticks, wanted.format.x), drawGrid: false, drawAxis: wanted.x.shown !== false, axisLineColor: colour('hold'), axisLabelFontSize: 12 },
        y: { ...axis(wanted.y.ticks, wanted.format.y), axisLabelWidth: wanted.gaps.left, axisLineColor: 'transparent', gridLineColor: colour('line'), gridLineWidth: 1, axisLabelFontSize: 12 },
      },
      rightGap: wanted.gaps.right, xRangePad: 0, legend: 'never', highlightCircleSize: 0, interactionModel: {}, animatedZooms: false,
      connectSeparatedPoints: false,
      underlayCallback: (context, box, drawn) => { graph = drawn; wanted.below && wanted.below({ ...area, context, left: box.x, top: box.y, w: box.w, h: box.h }); },
    });
    wanted.over && wanted.over(area);
  };
  const chart = { plot, overlay, draw, width: () => width, graph: () => graph, place };
  charts.push(chart);
  return chart;
};

const ring = (graph, name, context, x, y, stroke, size) => {
  context.beginPath();
  context.arc(x, y, size, 0, 2 * Math.PI);
  context.fillStyle = colour('paper');
  context.strokeStyle = stroke;
  context.lineWidth = 1.75;
  context.fill();
  context.stroke();
};

const fillBox = (area, from, to, style) => {
  const left = Math.max(area.left, area.x(from)), right = Math.min(area.left + area.w, area.x(to));
  if (right <= left) return;
  area.context.fillStyle = style;
  area.context.fillRect(left, area.top, right - left, area.h);
};
const stroke = (area, points, style, dash = [], lineWidth = 1) => {
  area.context.save();
  area.context.setLineDash(dash);
  area.context.strokeStyle = style;
  area.context.lineWidth = lineWidth;
  area.context.beginPath();
  points.forEach(([x, y], i) => i ? area.context.lineTo(x, y) : area.context.moveTo(x, y));
  area.context.stroke();
  area.context.restore();
};
const verticalLine = (area, x, style, dash, lineWidth) => {
  const at = Math.round(x) + 0.5;
  stroke(area, [[at, area.top], [at, area.top + area.h]], style, dash, lineWidth);
};

const titled = (figure, title, key) => {
  put(put(figure, 'div', { class: 'head' }), 'h3', {}, title);
  const reading = put(figure, 'div', { class: 'reading' });
  const list = put(reading, 'div', { class: 'key' });
  key.forEach(([kind, text]) => put(list, 'i', { class: kind }, text));
  return reading;
};
