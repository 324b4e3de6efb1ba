// What the player computes without a page: scales, and what lies where on the time axis.

/** @import { Frame, Line, NamesRow } from "./bytes.js" */

/** @type {(value: number, low: number, high: number) => number} */
export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/**
 * The smallest of 1, 2 and 5 times a power of ten that divides a span into at most `count` parts.
 * @param {number} span above 0
 * @param {number} count above 0
 */
export function niceStep(span, count) {
  const power = 10 ** Math.floor(Math.log10(span / count));
  return power * [1, 2, 5, 10].find((factor) => (power * factor * count) / span >= 1);
}

/**
 * The multiples of a nice step from `low` to `high`, and how they are written.
 * @param {number} low
 * @param {number} high above `low`
 * @param {number} count parts at the most
 * @returns {[number, string][]}
 */
export function ticks(low, high, count) {
  const step = niceStep(high - low, count);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  /** @type {[number, string][]} */
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
    found.push([i * step, grouped(i * step, digits)]);
  }
  return found;
}

/**
 * Where bars begin between `low` and `high`, and their numbers; of many, every second, fifth or tenth.
 * @param {[number, number][]} bars where each begins, and its beat
 * @param {number} low
 * @param {number} high
 * @param {number} count numbers at the most
 * @returns {[number, string][]}
 */
export function barTicks(bars, low, high, count) {
  const shown = bars.map(([start], i) => ({ start, number: i + 1 })).filter(({ start }) => start >= low && start <= high);
  const step = shown.length > count ? niceStep(shown.length, count) : 1;
  return shown.filter(({ number }) => number % step === 0).map(({ start, number }) => [start, `${number}`]);
}

/**
 * A time of music in words; bars and beats are counted from 1.
 * @param {[number, number][]} bars where each begins, and its beat as a part of a whole note; at least one
 * @param {number} time in quarter notes
 */
export function barAndBeat(bars, time) {
  const index = Math.max(0, bars.findLastIndex(([start]) => start <= time + 1e-6));
  const [start, unit] = bars[index];
  return `bar ${index + 1}, beat ${Number((1 + ((time - start) * unit) / 4).toFixed(2))}`;
}

/**
 * A value with three significant digits from 1 to 1000, with three decimals below 1, and with commas above 1000.
 * @param {number} value
 */
export function written(value) {
  const size = Math.abs(value);
  return grouped(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/**
 * A value with so many decimals, a true minus sign and commas between thousands.
 * @param {number} value
 * @param {number} digits
 */
function grouped(value, digits) {
  const [whole, part] = value.toFixed(digits).replace("-", "−").split(".");
  return [whole.replace(/\B(?=(\d{3})+$)/g, ","), part].filter(Boolean).join(".");
}

/**
 * Index of the first of ascending `times` that is not below `time`; their number if there is none.
 * @param {ArrayLike<number>} times
 * @param {number} time
 */
export function firstFrom(times, time) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Index of the nearest of ascending `times`; of two that are equally near, the later one.
 * @param {ArrayLike<number>} times
 * @param {number} time
 */
export function nearest(times, time) {
  const after = firstFrom(times, time);
  if (after === 0) return 0;
  if (after === times.length) return after - 1;
  return time - times[after - 1] < times[after] - time ? after - 1 : after;
}

/**
 * The name that is valid at a time; none before the first.
 * @param {Pick<NamesRow, "names" | "times">} row
 * @param {number} time
 */
export function nameAt({ names, times }, time) {
  const next = firstFrom(times, time);
  return names[times[next] === time ? next : next - 1] ?? "";
}

/**
 * The nearest value of a line; none before its first frame, after its last one and in a gap.
 * @param {Pick<Line, "times" | "values">} line
 * @param {number} time
 * @param {number} step from one frame to the next
 */
export function valueAt({ times, values }, time, step) {
  const i = nearest(times, time);
  const beside = values[times[i] < time ? i + 1 : i - 1];
  return Math.abs(times[i] - time) <= 0.501 * step || Number.isFinite(beside) ? values[i] : NaN;
}

/**
 * The frame, counted from 0, in which a time lies.
 * @param {Frame} frame
 * @param {number} time
 */
export function frameAt({ start, step, count }, time) {
  return clamp(Math.floor((time - start) / step + 1e-6), 0, count - 1);
}

/**
 * From edge to edge of the frames that two times lie in, at least one frame.
 * @param {Frame} frame
 * @param {number} one
 * @param {number} other
 * @returns {[number, number]}
 */
export function snapped({ start, step, count }, one, other) {
  const first = clamp(Math.floor((Math.min(one, other) - start) / step + 1e-6), 0, count - 1);
  const last = clamp(Math.ceil((Math.max(one, other) - start) / step - 1e-6), first + 1, count);
  return [start + first * step, start + last * step];
}

/**
 * A stretch of an axis from 0 to `whole` as it can be shown: `span` long, and within the axis.
 * @param {number} begin
 * @param {number} span at most `whole`
 * @param {number} whole
 * @returns {[number, number]}
 */
export function stretch(begin, span, whole) {
  const from = clamp(begin, 0, whole - span);
  return [from, from + span];
}

/**
 * Where a loop is that would have reached a time if it had gone straight on.
 * @param {number} reached
 * @param {number} from where the loop begins
 * @param {number} to where it ends, after `from`
 */
export function wrapped(reached, from, to) {
  return reached < to ? reached : from + ((reached - from) % (to - from));
}

/**
 * The next of some speeds, slower or faster; the same where there is none.
 * @param {readonly number[]} speeds ascending
 * @param {number} speed one of them
 * @param {-1 | 1} step
 */
export function nextSpeed(speeds, speed, step) {
  return speeds[clamp(speeds.indexOf(speed) + step, 0, speeds.length - 1)];
}
