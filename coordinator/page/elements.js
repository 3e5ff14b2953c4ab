/* Elements and text. Text that came from elsewhere reaches the page through textContent alone. */

const byId = id => document.getElementById(id);

const put = (parent, name, attributes = {}, text) => {
  const svg = parent instanceof SVGElement || name === 'svg';
  const element = svg ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (text !== undefined) element.textContent = text;
  parent.appendChild(element);
  return element;
};

const show = id => { byId(id).hidden = false; };

/* What a control or bidi character would do to a line of text it shall not do: it is shown as \xNN, \uNNNN. */
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
const escapeUnsafe = character => {
  const code = character.charCodeAt(0);
  return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
};
const harmless = (key, value) => typeof value === 'string' ? value.replace(UNSAFE, escapeUnsafe) : value;

/* A fold with a table in it, made when it is first opened. `rows` is a function. */
const foldedTable = (figure, caption, head, rows) => {
  const details = put(figure, 'details');
  put(details, 'summary', {}, 'Table');
  details.addEventListener('toggle', () => {
    if (details.querySelector('table')) return;
    const scroll = put(details, 'div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption });
    table(scroll, caption, head, rows());
  });
};

const table = (parent, caption, head, rows) => {
  const element = put(parent, 'table');
  if (caption) put(element, 'caption', {}, caption);
  const headRow = put(put(element, 'thead'), 'tr');
  head.forEach(cell => put(headRow, 'th', { scope: 'col', ...(cell.class && { class: cell.class }) }, cell.text ?? cell));
  const body = put(element, 'tbody');
  rows.forEach(cells => {
    const row = put(body, 'tr');
    cells.forEach(cell => put(row, 'td', {}, cell ?? '–'));
  });
};

const fact = (list, name, value) => {
  const pair = list.classList.contains('column') ? list : put(list, 'div');
  put(pair, 'dt', {}, name);
  put(pair, 'dd', {}, value);
};
