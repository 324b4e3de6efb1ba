// Draws a row: its title and legend, its scale, and lines, a picture or names.

import { clamp, firstFrom, ticks, written } from "./numbers.js";

/** @import { Content, Line, LinesRow, NamesRow, PictureRow, Row } from "./bytes.js" */

// Pixels: the margins, the heights of rows by what they show, and that of the axis below them.
export const LEFT = 66;
export const RIGHT = 14;
export const LINES = 84;
export const PICTURE = 104;
export const NAMES = 32;
export const AXIS = 38;
const TITLE = 20, LEGEND = 15; // of the lines of text above a row
const SWATCH = 21; // pixels of a legend before its name
const COLOURS = 52; // pixels of a picture's colours before their highest value
const BOLD = { size: 12, weight: "600" };
const VALUES = 120; // pixels above a row that stay free for the values at the playhead
const PALE = 0.4; // opacity of a line under another
export const DENSEST_MARKS = 0.12; // marks a pixel; above it they become ticks at the top

/**
 * A text above a row, with a line or a picture's colours before it.
 * @typedef {object} Legend
 * @property {string} text
 * @property {number} x
 * @property {number} y
 * @property {Line} [line]
 * @property {OffscreenCanvas} [scale]
 * @property {string} [low] the lowest value, before the colours
 * @property {number} [before] pixels of the lowest value
 */

/** @typedef {{ title: string, left: number, legends: Legend[], note: string, right: number, height: number }} Header */
/** @typedef {{ row: Row, header: Header, top: number, height: number, right: number }} Placed */
/** @typedef {CanvasRenderingContext2D} Context */
/** @typedef {{ text: string, colour?: string }} Part */
/** @typedef {{ align?: CanvasTextAlign, size?: number, weight?: string, fade?: number, colour?: string }} Style */
/** @typedef {(value: number) => number} Scale */

/**
 * Whether a line is a circle at each value, beside a curve that has the same values.
 * @param {Line} line
 */
export const isCircles = ({ style }) => style === "dots" || style === "rings";

/** Where rows are drawn, and in which colours. */
export class RowPainter {
  constructor() {
    /** @type {Content | undefined} */
    this.content = undefined;
    /** @type {[number, number] | undefined} the stretch of the axis that is shown */
    this.view = undefined;
    this.width = 0; // pixels of the axis
    this.text = this.primary = this.font = ""; // colours and font of the page
  }

  /** @param {number} time */
  x(time) {
    const [from, to] = this.view;
    return LEFT + ((time - from) / (to - from)) * this.width;
  }

  /**
   * @param {Context} context
   * @param {string} text
   * @param {number} x
   * @param {number} y
   * @param {Style} [style]
   */
  write(context, text, x, y, { align = "left", size = 11, weight = "", fade = 1, colour = this.text } = {}) {
    context.font = `${weight} ${size}px ${this.font}`;
    context.textAlign = align;
    context.textBaseline = "middle";
    context.fillStyle = colour;
    context.globalAlpha = fade;
    context.fillText(text, x, y);
    context.globalAlpha = 1;
    return context.measureText(text).width;
  }

  /**
   * A text as far as it fits into a width, and how wide that is.
   * @param {Context} context
   * @param {string} text
   * @param {number} width
   * @param {Style} [style]
   */
  fitted(context, text, width, { size = 11, weight = "" } = {}) {
    context.font = `${weight} ${size}px ${this.font}`;
    /** @type {(part: string) => [string, number]} */
    const measured = (part) => [part, context.measureText(part).width];
    if (measured(text)[1] <= width) return measured(text);
    let length = text.length;
    while (length && measured(`${text.slice(0, length)}…`)[1] > width) length--;
    return measured(`${text.slice(0, length)}…`);
  }

  /**
   * What stands above a row: its title, and its legends or colours, further down where a narrow page has no room.
   * @param {Context} context
   * @param {Row} row
   */
  headerOf(context, row) {
    const left = LEFT + 5; // beside the playhead at time 0
    const [title, taken] = this.fitted(context, row.title, this.width - 5, BOLD);
    let right = left + taken + 14;
    let y = TITLE - 9;
    /** @type {(swatch: number, name: string, what: Partial<Legend>) => Legend} */
    const put = (swatch, name, what) => {
      const [text, width] = this.fitted(context, name, this.width - 5 - swatch);
      if (right + swatch + width > LEFT + this.width) {
        right = left;
        y += LEGEND;
      }
      const legend = { ...what, text, x: right, y };
      right += swatch + width + 12;
      return legend;
    };
    /** @type {Legend[]} */
    let legends = [];
    if ("lines" in row) {
      if (row.lines.length > 1) legends = row.lines.map((line) => put(SWATCH, line.name, { line }));
    } else if ("bins" in row && row.unit) {
      const [low, high] = row.ends ?? [written(row.limits[0]), `${written(row.limits[1])} ${row.unit}`];
      const before = this.fitted(context, low, this.width)[1] + 4;
      legends = [put(before + COLOURS, high, { scale: row.scale, low, before })];
    }
    // The note; without how far the values go, or on a line of its own, where the page is narrow.
    const notes = "note" in row && row.note ? [row.note, row.note.replaceAll(/, (up|down) to [^;]*/g, "")] : [];
    const fitting = () =>
      notes.find((text) => right + this.fitted(context, text, Infinity)[1] <= LEFT + this.width - VALUES);
    let note = fitting();
    if (notes.length && note === undefined) {
      right = left;
      y += LEGEND;
      note = fitting();
    }
    return { title, left, legends, note: note ?? "", right, height: y + 9 };
  }

  /**
   * Draws a row, and tells where the text above it ends.
   * @param {Context} context
   * @param {Placed} place
   */
  paintRow(context, { row, header, top, height }) {
    const inside = height - 8; // what is left is the gap to the next row
    this.write(context, header.title, header.left, top - header.height + TITLE - 9, BOLD);
    if ("names" in row) {
      this.paintNames(context, row, top, inside);
      return header.right;
    }
    const [low, high] = row.limits;
    /** @type {Scale} */
    const y = (value) => top + inside - ((value - low) / (high - low)) * inside;
    context.save();
    context.beginPath();
    context.rect(LEFT, top - 4, this.width, inside + 8);
    context.clip();
    if ("lines" in row) {
      this.paintGrid(context, row, y, inside);
      for (const line of row.lines) {
        this.paintLine(context, line, (value) => y(row.note ? clamp(value, low, high) : value));
        if (row.note && !isCircles(line)) this.paintBeyond(context, line, row.limits, y);
      }
    } else {
      this.paintPicture(context, row, top, inside);
    }
    context.restore();
    context.save();
    context.translate(0, top - header.height);
    for (const legend of header.legends) {
      if (legend.scale) this.paintColours(context, legend);
      else this.paintLegend(context, legend);
    }
    context.restore();
    let { right } = header;
    if (header.note) right += this.write(context, header.note, right, top - 9, { fade: 0.85 }) + 12;
    this.paintScale(context, row, y, top, inside);
    return right;
  }

  /**
   * A box for each name, with the name in it where it has room.
   * @param {Context} context
   * @param {NamesRow} row
   * @param {number} top
   * @param {number} inside
   */
  paintNames(context, { names, times }, top, inside) {
    const [from, to] = this.view;
    const last = firstFrom(times, to);
    context.save();
    context.beginPath();
    context.rect(LEFT, top - 1, this.width, inside + 2);
    context.clip();
    for (let i = Math.max(0, firstFrom(times, from) - 1); i < last; i++) {
      if (!names[i]) continue;
      const left = this.x(Math.max(times[i], from));
      const right = this.x(Math.min(times[i + 1] ?? to, to));
      context.globalAlpha = 0.35;
      context.strokeStyle = this.text;
      context.lineWidth = 1;
      context.strokeRect(left, top + 0.5, right - left, inside - 1);
      context.globalAlpha = 1;
      context.font = `11px ${this.font}`;
      const room = right - left - 2;
      if (context.measureText(names[i]).width > room) continue;
      this.write(context, names[i], (left + right) / 2, top + inside / 2, { align: "center" });
    }
    context.restore();
  }

  /**
   * Triangles at the edge of the axis, where a line leaves it.
   * @param {Context} context
   * @param {Line} line
   * @param {[number, number]} limits
   * @param {Scale} y
   */
  paintBeyond(context, { times, values, colour }, [low, high], y) {
    context.fillStyle = colour;
    context.beginPath();
    for (let i = firstFrom(times, this.view[0]); i < times.length && times[i] <= this.view[1]; i++) {
      if (!(values[i] > high || values[i] < low)) continue;
      const x = this.x(times[i]);
      const [edge, to] = values[i] > high ? [y(high) - 4, 7] : [y(low) + 4, -7];
      context.moveTo(x, edge);
      context.lineTo(x + 5, edge + to);
      context.lineTo(x - 5, edge + to);
    }
    context.fill();
  }

  /**
   * The colours of a picture between the values at their ends.
   * @param {Context} context
   * @param {Legend} legend
   */
  paintColours(context, { scale, low, before, text, x, y }) {
    this.write(context, low, x, y, { fade: 0.85 });
    context.drawImage(scale, x + before, y - 4, COLOURS - 4, 8);
    this.write(context, text, x + before + COLOURS, y, { fade: 0.85 });
  }

  /**
   * @param {Context} context
   * @param {Legend} legend
   */
  paintLegend(context, { line, text, x, y }) {
    context.strokeStyle = context.fillStyle = line.colour;
    context.lineWidth = line.style === "under" ? 4 : 2;
    context.globalAlpha = line.style === "under" ? PALE : 1;
    context.beginPath();
    if (isCircles(line)) context.arc(x + 8, y, 3.5, 0, 7);
    else context.rect(x, y - 1, 16, 1);
    if (line.style === "dots") context.fill();
    else context.stroke();
    context.globalAlpha = 1;
    this.write(context, text, x + SWATCH, y, { fade: 0.85 });
  }

  /**
   * @param {LinesRow | PictureRow} row
   * @param {number} inside
   */
  scaleTicks(row, inside) {
    if ("lines" in row) return ticks(...row.limits, Math.max(2, inside / 18));
    return row.ticks.filter(([at]) => at >= -0.5 && at <= row.bins - 0.5);
  }

  /**
   * @param {Context} context
   * @param {LinesRow} row
   * @param {Scale} y
   * @param {number} inside
   */
  paintGrid(context, row, y, inside) {
    context.strokeStyle = this.text;
    context.globalAlpha = 0.13;
    context.lineWidth = 1;
    context.beginPath();
    for (const [value] of this.scaleTicks(row, inside)) {
      context.moveTo(LEFT, Math.round(y(value)) + 0.5);
      context.lineTo(LEFT + this.width, Math.round(y(value)) + 0.5);
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  /**
   * @param {Context} context
   * @param {LinesRow | PictureRow} row
   * @param {Scale} y
   * @param {number} top
   * @param {number} inside
   */
  paintScale(context, row, y, top, inside) {
    /** @type {Scale} */
    const place = "lines" in row ? y : (at) => top + inside * (1 - (at + 0.5) / row.bins);
    for (const [value, label] of this.scaleTicks(row, inside)) {
      this.write(context, label, LEFT - 6, place(value), { align: "right" });
    }
    context.save();
    context.translate(10, top + inside / 2);
    context.rotate(-Math.PI / 2);
    this.write(context, "lines" in row ? row.unit : row.axis, 0, 0, { align: "center", fade: 0.85 });
    context.restore();
  }

  /**
   * @param {Context} context
   * @param {Line} line
   * @param {Scale} y
   */
  paintLine(context, line, y) {
    const { times } = line;
    const first = Math.max(0, firstFrom(times, this.view[0]) - 1);
    const last = Math.min(times.length, firstFrom(times, this.view[1]) + 1);
    context.strokeStyle = context.fillStyle = line.colour;
    context.lineJoin = "bevel";
    const circles = isCircles(line);
    context.lineWidth = circles ? 1.8 : line.style === "under" ? 4 : 1.3;
    context.globalAlpha = line.style === "under" ? PALE : 1;
    context.beginPath();
    if (circles) this.traceCircles(context, line, first, last, y);
    else if (line.style === "steps") this.traceSteps(context, line, first, last, y);
    else this.traceCurve(context, line, first, last, y);
    if (line.style === "dots") context.fill();
    else context.stroke();
    context.globalAlpha = 1;
  }

  /**
   * @param {Context} context
   * @param {Line} line
   * @param {number} first
   * @param {number} last
   * @param {Scale} y
   */
  traceCircles(context, { times, values }, first, last, y) {
    const radius = last - first > DENSEST_MARKS * this.width ? 1.5 : 3.5; // many would cover the line
    for (let i = first; i < last; i++) {
      const x = this.x(times[i]);
      context.moveTo(x + radius, y(values[i]));
      context.arc(x, y(values[i]), radius, 0, 2 * Math.PI);
    }
  }

  /**
   * @param {Context} context
   * @param {Line} line
   * @param {number} first
   * @param {number} last
   * @param {Scale} y
   */
  traceSteps(context, { times, values }, first, last, y) {
    const { step } = this.content.frame;
    for (let i = first; i < last; i++) {
      context.lineTo(this.x(times[i] - step / 2), y(values[i]));
      context.lineTo(this.x(times[i] + step / 2), y(values[i]));
    }
  }

  /**
   * Where several points share a pixel, only their extremes are drawn.
   * @param {Context} context
   * @param {Line} line
   * @param {number} first
   * @param {number} last
   * @param {Scale} y
   */
  traceCurve(context, { times, values }, first, last, y) {
    /** @type {number | null} */
    let column = null;
    let low = 0;
    let high = 0;
    let gap = true;
    const flush = () => {
      if (column === null) return;
      context.lineTo(column, y(low));
      if (high !== low) context.lineTo(column, y(high));
    };
    const fine = (last - first) / this.width < 2;
    const [from, to] = this.view;
    const scale = this.width / (to - from);
    for (let i = first; i < last; i++) {
      if (Number.isNaN(values[i])) {
        flush();
        column = null;
        gap = true;
        continue;
      }
      const at = LEFT + (times[i] - from) * scale;
      const x = fine ? at : Math.round(at);
      if (x !== column) {
        flush();
        if (gap) context.moveTo(x, y(values[i]));
        column = x;
        low = high = values[i];
        gap = false;
      } else {
        low = Math.min(low, values[i]);
        high = Math.max(high, values[i]);
      }
    }
    flush();
  }

  /**
   * @param {Context} context
   * @param {PictureRow} row
   * @param {number} top
   * @param {number} inside
   * @param {boolean} averaged
   */
  paintPicture(context, row, top, inside, averaged = false) {
    const { image, start, end } = row;
    const from = this.x(start);
    const to = this.x(end);
    // Whole columns stay sharp when they are enlarged, and are averaged when there are more than pixels.
    context.imageSmoothingEnabled = averaged || (to - from) * devicePixelRatio < image.width;
    context.drawImage(image, from, top, to - from, inside);
    context.strokeStyle = this.text;
    context.globalAlpha = 0.2;
    context.lineWidth = 1;
    context.strokeRect(from, top + 0.5, to - from, inside - 1);
    context.globalAlpha = 1;
  }
}
