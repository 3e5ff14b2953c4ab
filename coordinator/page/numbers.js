/* Numbers for people: three significant digits, thin spaces between thousands, the unit always there. */

const THIN = '\u202f', NO_BREAK = '\u00a0';

const group = digits => {
  const [whole, rest] = String(digits).split('.');
  const parted = whole.replace(/\B(?=(\d{3})+$)/g, THIN);
  return rest === undefined ? parted : `${parted}.${rest}`;
};

const significant = (value, digits = 3) => {
  if (!value) return '0';
  const rounded = Number(value.toPrecision(digits));
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(rounded))));
  return group(rounded.toFixed(decimals));
};

const count = value => group(Math.round(value));
const perSecond = value => value >= 100 ? count(value) : significant(value);
const rate = value => `${perSecond(value)}/s`;
const workers = value => value >= 10 || Math.abs(value - Math.round(value)) < 0.05 ? count(value) : significant(value, 2);
const manyWorkers = value => `${workers(value)} worker${workers(value) === '1' ? '' : 's'}`;

/* Of milliseconds. */
const time = ms => {
  if (ms >= 120000) return `${Math.floor(ms / 60000)}${NO_BREAK}min ${Math.round(ms / 1000) % 60}${NO_BREAK}s`;
  if (ms >= 1000) return `${significant(ms / 1000)}${NO_BREAK}s`;
  if (ms >= 1 || ms === 0) return `${significant(ms)}${NO_BREAK}ms`;
  return `${significant(ms * 1000)}${NO_BREAK}µs`;
};

/* Of a tick on an axis, which is exact: no more digits than it has. */
const tickTime = ms => ms >= 1000 ? `${group(Number((ms / 1000).toPrecision(3)))}${NO_BREAK}s` : ms >= 1 || ms === 0 ? `${Number(ms.toPrecision(3))}${NO_BREAK}ms` : `${Number((ms * 1000).toPrecision(3))}${NO_BREAK}µs`;
const tickCount = value => group(Number(value.toPrecision(3)));
const seconds = value => value < 100 ? `${value < 0.05 ? '< 0.1' : value.toFixed(1)}${NO_BREAK}s` : time(value * 1000);

/* Of a share: trailing zeros go, nothing that is not zero shows as zero, and nothing below one as 100 %. */
const percent = share => {
  const value = 100 * share;
  if (!value) return `0${NO_BREAK}%`;
  if (Math.abs(value) < 0.001) return `<${NO_BREAK}0.001${NO_BREAK}%`;
  const nearly = value >= 99 && value < 100;
  const text = String(Number(value.toPrecision(nearly ? 4 : 3))).replace('-', '−');
  return `${nearly && text === '100' ? '99.99' : text}${NO_BREAK}%`;
};

const pad = number => String(number).padStart(2, '0');
const clock = seconds => {
  const whole = Math.floor(seconds + 1e-6), hours = Math.floor(whole / 3600);
  const rest = `${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
};
const clockTenths = seconds => clock(seconds) + (seconds % 1 >= 0.05 && seconds < 3600 ? (seconds % 1).toFixed(1).slice(1) : '');
