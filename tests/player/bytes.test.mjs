import assert from "node:assert/strict";
import { test } from "node:test";

import { headOf, unpack } from "../../srnn_lab/player/js/bytes.js";

/** A message as Python packs it, which begins at an address that is no multiple of four. */
function message(head, body) {
  const text = new TextEncoder().encode(JSON.stringify(head));
  const bytes = new Uint8Array(1 + 4 + text.length + body.byteLength).subarray(1);
  new DataView(bytes.buffer, 1).setUint32(0, text.length, true);
  bytes.set(text, 4);
  bytes.set(new Uint8Array(body.buffer), 4 + text.length);
  return bytes;
}

test("a description and its arrays are read wherever they lie", () => {
  const at = (start, length) => ({ kind: "f4", start, length });
  const line = { name: "Prüfung", colour: "#123456", style: "line", times: at(4, 2), values: at(12, 2) };
  const rows = [
    { title: "KL", unit: "nats", limits: [0, 1], note: "", lines: [line] },
    { title: "phones", names: ["a", "b"], times: at(4, 2) },
  ];
  const sent = { key: "rows", digest: "d", marks: at(0, 1), rows };
  const { head, body } = headOf(message(sent, new Float32Array([0.5, 1, 2, NaN, 4])));
  assert.deepEqual(head, sent);
  const content = unpack(head, body);
  assert.deepEqual(content.marks, new Float32Array([0.5]));
  assert.deepEqual(content.rows[0].lines, [
    { ...line, times: new Float32Array([1, 2]), values: new Float32Array([NaN, 4]) },
  ]);
  assert.deepEqual(content.rows[1], { title: "phones", names: ["a", "b"], times: new Float32Array([1, 2]) });
  assert.equal(content.key, "rows");
});

test("a picture has a pixel a value, its first value at the bottom, and a scale of all its colours", (context) => {
  class Canvas {
    constructor(width, height) {
      Object.assign(this, { width, height });
    }

    getContext() {
      return {
        createImageData: (width, height) => ({ data: new Uint8ClampedArray(4 * width * height) }),
        putImageData: (image) => (this.pixels = [...new Uint32Array(image.data.buffer)]),
      };
    }
  }
  globalThis.OffscreenCanvas = Canvas;
  context.after(() => delete globalThis.OffscreenCanvas);
  const colours = Uint32Array.from({ length: 256 }, (_, i) => 1000 + i);
  const body = new Uint8Array(8 + 1024);
  body.set([1, 2, 3, 4, 5, 6]);
  body.set(new Uint8Array(colours.buffer), 8);
  const row = {
    title: "p", bins: 2, values: { kind: "u1", start: 0, length: 6 }, colours: { kind: "u1", start: 8, length: 1024 },
  };
  const [{ image, scale }] = unpack({ rows: [row], marks: { kind: "f4", start: 0, length: 0 } }, body).rows;
  assert.deepEqual([image.width, image.height, image.pixels], [3, 2, [1002, 1004, 1006, 1001, 1003, 1005]]);
  assert.deepEqual([scale.width, scale.height, scale.pixels], [256, 1, [...colours]]);
});
