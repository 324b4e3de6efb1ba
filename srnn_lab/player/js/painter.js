// Draws the rows: into a background when they change, and over it what moves.

import { clamp, firstFrom, nameAt, stretch, ticks, valueAt, written } from "./numbers.js";

/** @import { Content, Line, LinesRow, NamesRow, PictureRow, Row } from "./bytes.js" */

const LEFT = 66, RIGHT = 14, TITLE = 20, LEGEND = 15, LINES = 84, PICTURE = 104, NAMES = 32, AXIS = 38;
const SWATCH = 21; // pixels of a legend before its name
const COLOURS = 52; // pixels of a picture's colours before their highest value
const BOLD = { size: 12, weight: "600" };
const VALUES = 120; // pixels above a row that stay free for the values at the playhead
const PALE = 0.4; // opacity of a line under another
const OVERVIEW = 28, STRIP = 20; // the strip over the rows, with and without the gap below it
const LONG = 10; // seconds of a clip from which on the strip is there
const AROUND = 235; // pixels of a window that the rows leave to what is around them
const FLATTEST = 0.6; // share of its height that a row keeps in a low window
const DENSEST_MARKS = 0.12; // marks a pixel; above it they become ticks at the top

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

/** @typedef {{ title: string, left: number, legends: Legend[], right: number, height: number }} Header */
/** @typedef {{ row: Row, header: Header, top: number, height: number, right: number }} Placed */
/** @typedef {CanvasRenderingContext2D} Context */
/** @typedef {{ text: string, colour?: string }} Part */
/** @typedef {{ align?: CanvasTextAlign, size?: number, weight?: string, fade?: number, colour?: string }} Style */
/** @typedef {(value: number) => number} Scale */

/**
 * Whether a line is a circle at each value, beside a curve that has the same values.
 * @param {Line} line
 */
const isCircles = ({ style }) => style === "dots" || style === "rings";

/** What is shown of a content, and where on its canvas. */
export class Painter {
  /** @param {HTMLCanvasElement} canvas whose parent has the colours and the font */
  constructor(canvas) {
    this.canvas = canvas;
    this.background = document.createElement("canvas");
    /** @type {Content | undefined} */
    this.content = undefined;
    /** @type {[number, number] | undefined} the stretch of the axis that is shown */
    this.view = undefined;
    /** @type {Placed[]} */
    this.placed = [];
    this.width = 0; // pixels of the axis
    this.height = 0; // pixels of everything; 0 until it has been painted
    this.narrow = false; // whether there is little room beside each other
    this.theme = ""; // the next three, as they were painted
    this.text = this.primary = this.font = "";
  }

  /** The colours and the font of the page, which another theme changes. */
  themeNow() {
    const style = getComputedStyle(this.canvas.parentElement);
    return [style.color, style.getPropertyValue("--st-primary-color") || "#0072b2", style.fontFamily].join("|");
  }

  /** Whether another theme has changed the colours since they were drawn. */
  get faded() {
    return this.theme !== this.themeNow();
  }

  // -- What is shown

  get whole() {
    return this.view[1] - this.view[0] >= this.content.end;
  }

  /**
   * Show a stretch of so many units from a time on, or the nearest that there is.
   * @param {number} begin
   * @param {number} span
   */
  scroll(begin, span) {
    this.view = stretch(begin, span, this.content.end);
  }

  /**
   * Zoom to a stretch of the axis, of a frame at the least.
   * @param {number} start
   * @param {number} end
   */
  look(start, end) {
    const { end: whole, frame } = this.content;
    this.scroll(start, clamp(end - start, Math.min(whole, frame.step), whole));
  }

  /**
   * Show so many times as much, and keep a time where it is.
   * @param {number} factor
   * @param {number} around
   */
  zoom(factor, around) {
    const [from, to] = this.view;
    const { end, frame } = this.content;
    const span = clamp((to - from) * factor, Math.min(end, 8 * frame.step), end);
    const share = clamp((around - from) / (to - from), 0, 1);
    this.scroll(around - share * span, span);
  }

  /**
   * Scroll so that a range is in view; whether that was needed.
   * @param {number} start
   * @param {number} end
   */
  reveal(start, end) {
    const [from, to] = this.view;
    if (start >= from && end <= to) return false;
    const span = Math.min(this.content.end, Math.max(to - from, 1.2 * (end - start)));
    this.scroll((start + end - span) / 2, span);
    return true;
  }

  /** @param {number} time */
  x(time) {
    const [from, to] = this.view;
    return LEFT + ((time - from) / (to - from)) * this.width;
  }

  /** @param {number} x */
  timeAt(x) {
    const [from, to] = this.view;
    return clamp(from + ((x - LEFT) / this.width) * (to - from), 0, this.content.end);
  }

  /** @param {Row} row */
  rowHeight(row) {
    return "names" in row ? NAMES : "lines" in row ? LINES : PICTURE;
  }

  /**
   * The share of their heights that rows keep so that all of them, and what is around them, fit into the window.
   * @param {Header[]} headers
   */
  shareOfHeight(headers) {
    const { rows } = this.content;
    const sum = (/** @type {number[]} */ heights) => heights.reduce((all, height) => all + height, 0);
    const names = rows.filter((row) => "names" in row).length * NAMES;
    const wanted = sum(rows.map((row) => this.rowHeight(row))) - names;
    const room = innerHeight - AROUND - this.overview - AXIS - names - sum(headers.map(({ height }) => height));
    return clamp(room / wanted, FLATTEST, 1);
  }

  // -- The strip over the rows, which has the whole clip

  /** The height of the strip and of the gap below it; 0 where a clip is too short to get lost in. */
  get overview() {
    return this.content.end * this.content.seconds > LONG ? OVERVIEW : 0;
  }

  /**
   * The time at a place of the strip.
   * @param {number} x
   */
  timeOverAll(x) {
    return clamp((x - LEFT) / this.width, 0, 1) * this.content.end;
  }

  /**
   * The first row, flat and whole, with what is shown of it framed.
   * @param {Context} context
   */
  paintOverview(context) {
    const [row] = this.content.rows;
    const view = this.view;
    const { end } = this.content;
    this.view = [0, end];
    context.save();
    context.beginPath();
    context.rect(LEFT, 0, this.width, STRIP);
    context.clip();
    if ("lines" in row) {
      const [low, high] = row.limits;
      const y = (/** @type {number} */ value) => STRIP * (1 - (clamp(value, low, high) - low) / (high - low));
      for (const line of row.lines) if (!isCircles(line)) this.paintLine(context, line, y);
    } else if ("bins" in row) {
      this.paintPicture(context, row, 0, STRIP);
    }
    context.restore();
    this.view = view;
    const [from, to] = view.map((time) => LEFT + (time / end) * this.width);
    context.fillStyle = context.strokeStyle = this.text;
    context.globalAlpha = 0.18;
    context.fillRect(LEFT, 0, from - LEFT, STRIP);
    context.fillRect(to, 0, LEFT + this.width - to, STRIP);
    context.globalAlpha = 0.6;
    context.lineWidth = 1;
    context.strokeRect(from, 0.5, to - from, STRIP - 1);
    context.globalAlpha = 1;
  }

  // -- The background

  /** Draw the rows into the background; whether there is anything and room for it. */
  paint() {
    this.width = this.canvas.clientWidth - LEFT - RIGHT; // asked for once, since each answer costs a layout
    if (!this.content || this.width < 20) return false;
    const scale = devicePixelRatio || 1;
    this.narrow = this.width < 480;
    this.theme = this.themeNow();
    [this.text, this.primary, this.font] = this.theme.split("|");
    const context = this.background.getContext("2d");
    const headers = this.content.rows.map((row) => this.headerOf(context, row));
    const share = this.shareOfHeight(headers);
    let bottom = this.overview;
    this.placed = this.content.rows.map((row, i) => {
      const top = bottom + headers[i].height;
      const height = "names" in row ? NAMES : Math.round(share * this.rowHeight(row));
      bottom = top + height;
      return { row, header: headers[i], top, height, right: headers[i].right };
    });
    const height = bottom + AXIS;
    this.canvas.style.height = `${height}px`;
    for (const canvas of [this.canvas, this.background]) {
      canvas.width = Math.round(this.canvas.clientWidth * scale);
      canvas.height = Math.round(height * scale);
    }
    this.height = height;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    if (this.overview) this.paintOverview(context);
    for (const place of this.placed) place.right = this.paintRow(context, place);
    this.paintMarks(context, bottom);
    this.paintAxis(context, bottom);
    this.canvas.dataset.view = this.view.map((time) => time.toFixed(4)).join("-");
    return true;
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
    return { title, left, legends, right, height: y + 9 };
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
    const room = LEFT + this.width - VALUES - right;
    if ("note" in row && row.note && room > 40) {
      const [note] = this.fitted(context, row.note, room);
      right += this.write(context, note, right, top - 9, { fade: 0.85 }) + 12;
    }
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
   */
  paintPicture(context, row, top, inside) {
    const { image, start, end } = row;
    const from = this.x(start);
    const to = this.x(end);
    // Whole columns stay sharp when they are enlarged, and are averaged when there are more than pixels.
    context.imageSmoothingEnabled = (to - from) * devicePixelRatio < image.width;
    context.drawImage(image, from, top, to - from, inside);
    context.strokeStyle = this.text;
    context.globalAlpha = 0.2;
    context.lineWidth = 1;
    context.strokeRect(from, top + 0.5, to - from, inside - 1);
    context.globalAlpha = 1;
  }

  /**
   * @param {Context} context
   * @param {number} bottom
   */
  paintMarks(context, bottom) {
    const { marks } = this.content;
    const [from, to] = this.view;
    const shown = firstFrom(marks, to) - firstFrom(marks, from);
    const dense = shown > DENSEST_MARKS * this.width;
    context.strokeStyle = this.text;
    context.globalAlpha = 0.4;
    context.lineWidth = 1;
    context.setLineDash(dense ? [] : [2, 3]);
    context.beginPath();
    for (const { top, height } of this.placed) {
      for (const time of marks) {
        if (time < from || time > to) continue;
        const x = Math.round(this.x(time)) + 0.5;
        context.moveTo(x, top);
        context.lineTo(x, top + (dense ? 5 : height - 8));
      }
    }
    context.stroke();
    context.setLineDash([]);
    context.globalAlpha = 1;
    if (marks.length) {
      const room = this.narrow ? this.width - 130 : this.width / 2 - 75; // the rest is the name of the axis
      const [text] = this.fitted(context, `dotted: ${this.content.markName}`, room);
      this.write(context, text, LEFT + this.width, bottom + AXIS - 8, { align: "right", fade: 0.85 });
    }
  }

  /**
   * @param {Context} context
   * @param {number} top
   */
  paintAxis(context, top) {
    context.strokeStyle = this.text;
    context.globalAlpha = 0.5;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(LEFT, top + 0.5);
    context.lineTo(LEFT + this.width, top + 0.5);
    const shown = ticks(...this.view, Math.max(2, this.width / 110));
    for (const [time] of shown) {
      context.moveTo(Math.round(this.x(time)) + 0.5, top);
      context.lineTo(Math.round(this.x(time)) + 0.5, top + 5);
    }
    context.stroke();
    context.globalAlpha = 1;
    for (const [time, label] of shown) this.write(context, label, this.x(time), top + 13, { align: "center" });
    /** @type {[number, CanvasTextAlign]} */
    const [at, align] = this.narrow ? [LEFT, "left"] : [LEFT + this.width / 2, "center"];
    this.write(context, `time (${this.content.unit})`, at, top + AXIS - 8, { align, size: 12 });
  }

  // -- What moves

  /**
   * Draw the background, and over it what moves.
   * @param {number} time of the playhead
   * @param {[number, number] | null} selection
   * @param {number | null} hover time under the pointer
   */
  draw(time, selection, hover) {
    const context = this.canvas.getContext("2d");
    const scale = devicePixelRatio || 1;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.drawImage(this.background, 0, 0);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.save();
    context.beginPath();
    context.rect(LEFT - 1, 0, this.width + 2, this.height);
    context.clip();
    if (selection) this.drawSelection(context, selection);
    if (hover !== null) this.drawUpright(context, hover, this.text, 0.5, 1);
    this.drawUpright(context, time, this.primary, 1, 2);
    if (this.overview) context.fillRect(LEFT + (time / this.content.end) * this.width - 1, 0, 2, STRIP);
    context.restore();
    this.drawValues(context, hover ?? time);
  }

  /**
   * @param {Context} context
   * @param {[number, number]} selection
   */
  drawSelection(context, selection) {
    const [from, to] = selection.map((time) => this.x(time));
    context.fillStyle = context.strokeStyle = this.primary;
    context.globalAlpha = 0.16;
    const top = this.overview;
    context.fillRect(from, top, to - from, this.height - AXIS - top);
    context.globalAlpha = 0.8;
    context.lineWidth = 1;
    context.strokeRect(from, top + 0.5, to - from, this.height - AXIS - top);
    context.globalAlpha = 1;
  }

  /**
   * @param {Context} context
   * @param {number} time
   * @param {string} colour
   * @param {number} opacity
   * @param {number} width
   */
  drawUpright(context, time, colour, opacity, width) {
    context.fillStyle = colour;
    context.globalAlpha = opacity;
    context.fillRect(this.x(time) - width / 2, this.overview, width, this.height - AXIS - this.overview);
    context.globalAlpha = 1;
  }

  /**
   * The values of each row at a time, at the right of its title; of several lines beside their colours.
   * @param {Context} context
   * @param {number} time
   */
  drawValues(context, time) {
    for (const { row, top, right } of this.placed) {
      const parts = this.valuesOf(row, time);
      context.font = `11px ${this.font}`;
      let x = LEFT + this.width - context.measureText(parts.map(({ text }) => text).join("")).width;
      if (x > right) for (const { text, colour } of parts) x += this.write(context, text, x, top - 9, { colour });
    }
  }

  /**
   * What a row says at a time; a picture says nothing.
   * @param {Row} row
   * @param {number} time
   * @returns {Part[]}
   */
  valuesOf(row, time) {
    if ("lines" in row) return this.valuesOfLines(row, time);
    return "names" in row ? [{ text: nameAt(row, time) }] : [];
  }

  /**
   * The value of each line that has one at a time, and after the last of them their unit.
   * @param {LinesRow} row
   * @param {number} time
   * @returns {Part[]}
   */
  valuesOfLines(row, time) {
    const curves = row.lines.filter((line) => !isCircles(line));
    const found = curves.flatMap((line) => {
      const value = valueAt(line, time, this.content.frame.step);
      if (!Number.isFinite(value)) return [];
      const named = curves.length > 1 ? [{ text: "  ■ ", colour: line.colour }] : [];
      return [...named, { text: written(value) }];
    });
    return found.length ? [...found, { text: ` ${row.unit}` }] : [];
  }
}
