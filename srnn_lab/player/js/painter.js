// What is shown and where: the rows in a background when they change, and over it what moves.

import { barTicks, clamp, firstFrom, nameAt, stretch, ticks, valueAt, written } from "./numbers.js";
import { AXIS, DENSEST_MARKS, LEFT, LINES, NAMES, PICTURE, RIGHT, RowPainter, isCircles } from "./rows.js";

/** @import { LinesRow, Row } from "./bytes.js" */
/** @import { Context, Header, Part, Placed } from "./rows.js" */

const OVERVIEW = 28, STRIP = 20; // the strip over the rows, with and without the gap below it
const LONG = 10; // seconds of a clip from which on the strip is there
const AROUND = 235; // pixels of a window that the rows leave to what is around them
const FLATTEST = 0.6; // share of its height that a row keeps in a low window

/** What is shown of a content, and where on its canvas. */
export class Painter extends RowPainter {
  /** @param {HTMLCanvasElement} canvas whose parent has the colours and the font */
  constructor(canvas) {
    super();
    this.canvas = canvas;
    this.background = document.createElement("canvas");
    /** @type {Placed[]} */
    this.placed = [];
    this.height = 0; // pixels of everything; 0 until it has been painted
    this.narrow = false; // whether there is little room beside each other
    this.theme = ""; // the colours and the font, as they were painted
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
    this.scroll(0, end);
    context.save();
    context.beginPath();
    context.rect(LEFT, 0, this.width, STRIP);
    context.clip();
    if ("lines" in row) {
      const [low, high] = row.limits;
      const y = (/** @type {number} */ value) => STRIP * (1 - (clamp(value, low, high) - low) / (high - low));
      for (const line of row.lines) if (!isCircles(line)) this.paintLine(context, line, y);
    } else if ("bins" in row) {
      this.paintPicture(context, row, 0, STRIP, true); // lower than its values are many: none is lost
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
    const { bars, unit } = this.content;
    const most = Math.max(2, this.width / 110);
    const shown = bars.length ? barTicks(bars, ...this.view, most) : ticks(...this.view, most);
    for (const [time] of shown) {
      context.moveTo(Math.round(this.x(time)) + 0.5, top);
      context.lineTo(Math.round(this.x(time)) + 0.5, top + 5);
    }
    context.stroke();
    context.globalAlpha = 1;
    for (const [time, label] of shown) this.write(context, label, this.x(time), top + 13, { align: "center" });
    /** @type {[number, CanvasTextAlign]} */
    const [at, align] = this.narrow ? [LEFT, "left"] : [LEFT + this.width / 2, "center"];
    this.write(context, bars.length ? "bar" : `time (${unit})`, at, top + AXIS - 8, { align, size: 12 });
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
