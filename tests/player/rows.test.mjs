// What stands above a row, on pages of several widths.
import assert from "node:assert/strict";
import { test } from "node:test";

import { RowPainter } from "../../srnn_lab/player/js/rows.js";

const NOTE = "1 of 325 frames above the axis, up to 81 nats; 2 of 325 frames below the axis, down to −3 nats";
const SHORT = "1 of 325 frames above the axis; 2 of 325 frames below the axis";
const context = { measureText: (/** @type {string} */ text) => ({ width: 6 * text.length }) };

/** @param {number} width */
const headed = (width) => {
  const painter = new RowPainter();
  painter.width = width;
  const lines = ["a", "b"].map((name) => ({ name, colour: "#000000" }));
  return painter.headerOf(/** @type {any} */ (context), /** @type {any} */ ({ title: "KL", lines, note: NOTE }));
};

test("a note stands beside the legends, is shortened or has a line of its own, but is never cut", () => {
  const [wide, narrower, narrow, narrowest] = [1000, 640, 520, 200].map(headed);
  assert.deepEqual([wide.note, narrower.note, narrow.note, narrowest.note], [NOTE, SHORT, SHORT, ""]);
  assert.equal(narrower.height, wide.height);
  assert.ok(narrow.height > wide.height);
});
