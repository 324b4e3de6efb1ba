import assert from "node:assert/strict";
import { test } from "node:test";

import {
  barAndBeat, barTicks, clamp, firstFrom, frameAt, nameAt, nearest, nextSpeed, niceStep, snapped, stretch, ticks,
  valueAt, wrapped, written,
} from "../../srnn_lab/player/js/numbers.js";

test("a value is kept between two bounds", () => {
  assert.deepEqual([-1, 0.5, 2].map((value) => clamp(value, 0, 1)), [0, 0.5, 1]);
});

test("a step is 1, 2 or 5 times a power of ten, and the smallest that needs no more parts", () => {
  assert.deepEqual([10, 5, 4, 2].map((count) => niceStep(10, count)), [1, 2, 5, 5]);
  assert.equal(niceStep(10, 1), 10);
  for (const power of [1e-6, 1e-3, 1, 1e3]) {
    for (const span of [1, 1.01, 2.4, 9.99]) {
      for (const count of [2, 4.2, 8.5]) {
        const step = niceStep(span * power, count);
        const parts = (span * power) / step;
        assert.ok(parts <= count * (1 + 1e-9) && parts > count / 2.5 - 1e-9, `${span} ${power} ${count}: ${step}`);
      }
    }
  }
});

test("ticks are the multiples of the step between the ends, with the digits that tell them apart", () => {
  assert.deepEqual(ticks(0, 1, 4).map(([, label]) => label), ["0.0", "0.5", "1.0"]);
  assert.deepEqual(ticks(0, 1, 5).map(([, label]) => label), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
  assert.deepEqual(ticks(-0.04, 0.05, 4).map(([, label]) => label), ["0.00", "0.05"]);
  assert.deepEqual(ticks(-1, 1, 4), [[-1, "−1.0"], [-0.5, "−0.5"], [0, "0.0"], [0.5, "0.5"], [1, "1.0"]]);
  assert.deepEqual(ticks(95, 1005, 4), [[500, "500"], [1000, "1,000"]]);
  assert.deepEqual(ticks(-25000, 0, 3).map(([, label]) => label), ["−20,000", "−10,000", "0"]);
  assert.deepEqual(ticks(1000, 1000.0005, 1).map(([, label]) => label), ["1,000.0000", "1,000.0005"]);
});

test("a value is written with three digits, with a true minus sign, and with commas between thousands", () => {
  assert.deepEqual([0, 0.12345, 1.2345, 12.345, 123.45, 1234.5].map(written),
    ["0.000", "0.123", "1.23", "12.3", "123", "1,235"]);
  assert.deepEqual([-0.5, -99.96, -1234567].map(written), ["−0.500", "−100.0", "−1,234,567"]);
});

test("the first time that is not below another is found as by looking at each", () => {
  const times = [1, 2, 2, 3.5, 7];
  for (const time of [0, 1, 1.5, 2, 2.1, 3.5, 6.9, 7, 8, -Infinity, Infinity]) {
    const each = times.findIndex((other) => other >= time);
    assert.equal(firstFrom(times, time), each < 0 ? times.length : each, String(time));
  }
  assert.equal(firstFrom([], 0), 0);
});

test("the nearest time is before or after, and of two the later one", () => {
  const times = new Float32Array([1, 2, 4]);
  assert.deepEqual([0, 1.4, 1.5, 2.9, 3, 9].map((time) => nearest(times, time)), [0, 0, 1, 1, 2, 2]);
});

test("a name is valid from its time until the next", () => {
  const row = { names: ["a", "", "b"], times: [1, 2, 3] };
  assert.deepEqual([0.9, 1, 1.9, 2, 2.5, 3, 99].map((time) => nameAt(row, time)), ["", "a", "a", "", "", "b", "b"]);
});

test("a line has a value within half a step of its ends, and none in a gap", () => {
  const line = { times: [0.5, 1.5, 2.5, 3.5, 4.5], values: [10, 20, NaN, NaN, 50] };
  assert.deepEqual([0, 0.4, 1, 1.9, 2.6, 5].map((time) => valueAt(line, time, 1)), [10, 10, 20, 20, NaN, 50]);
  assert.deepEqual([-0.1, 5.1].map((time) => valueAt(line, time, 1)), [NaN, NaN]);
});

test("a line of fewer frames than the model's has its nearest value, where its neighbour has one", () => {
  const line = { times: [0, 10, 20], values: [1, 2, 3] };
  assert.deepEqual([4, 6, 14].map((time) => valueAt(line, time, 1)), [1, 2, 2]);
  assert.deepEqual([4, 6].map((time) => valueAt({ times: [0, 10], values: [1, NaN] }, time, 1)), [NaN, NaN]);
});

const frame = { start: 0, step: 0.1, count: 10 };

test("a time lies in the frame that begins there, and outside in the first or the last", () => {
  assert.deepEqual([-1, 0, 0.05, 0.1, 0.3, 0.7, 0.99, 1, 5].map((time) => frameAt(frame, time)),
    [0, 0, 0, 1, 3, 7, 9, 9, 9]);
  assert.equal(frameAt({ start: 0.5, step: 0.25, count: 4 }, 1.1), 2);
});

test("a selection is from edge to edge of frames, in either direction, and at least one", () => {
  const edges = (one, other) => snapped(frame, one, other).map((edge) => edge.toFixed(6));
  assert.deepEqual(edges(0.12, 0.38), ["0.100000", "0.400000"]);
  assert.deepEqual(edges(0.38, 0.12), edges(0.12, 0.38));
  assert.deepEqual(edges(0.3, 0.7), ["0.300000", "0.700000"]); // 0.3 / 0.1 is below 3
  assert.deepEqual(edges(0.55, 0.55), ["0.500000", "0.600000"]);
  assert.deepEqual(edges(0.5, 0.5), ["0.500000", "0.600000"]);
  assert.deepEqual(edges(-3, 9), ["0.000000", "1.000000"]);
  assert.deepEqual(edges(9, 9), ["0.900000", "1.000000"]);
});

test("what is snapped stays where it is", () => {
  for (let first = 0; first < 10; first++) {
    for (let last = first + 1; last <= 10; last++) {
      const [from, to] = snapped(frame, (first + 0.5) * 0.1, (last - 0.5) * 0.1);
      assert.deepEqual(snapped(frame, from, to), [from, to]);
    }
  }
});

test("what is shown lies within the axis", () => {
  assert.deepEqual([-5, 3, 8].map((begin) => stretch(begin, 4, 10)), [[0, 4], [3, 7], [6, 10]]);
  assert.deepEqual(stretch(2, 10, 10), [0, 10]);
});

test("a loop goes through its stretch again and again", () => {
  assert.deepEqual([0.5, 2.9, 3, 3.5, 5.25].map((time) => wrapped(time, 1, 3)), [0.5, 2.9, 1, 1.5, 1.25]);
});

test("the next speed is the one beside it, as far as there is one", () => {
  const speeds = [0.25, 0.5, 1];
  assert.deepEqual(speeds.map((speed) => nextSpeed(speeds, speed, 1)), [0.5, 1, 1]);
  assert.deepEqual(speeds.map((speed) => nextSpeed(speeds, speed, -1)), [0.25, 0.25, 0.5]);
});

test("an axis of bars has the numbers of those that begin in view, every second, fifth or tenth of many", () => {
  /** @type {[number, number][]} */
  const bars = Array.from({ length: 40 }, (_, i) => [4 * i, 4]);
  assert.deepEqual(barTicks(bars, 0, 11, 8), [[0, "1"], [4, "2"], [8, "3"]]);
  assert.deepEqual(barTicks(bars, 0, 160, 8).map(([, label]) => label), ["5", "10", "15", "20", "25", "30", "35", "40"]);
  assert.deepEqual(barTicks(bars, 78, 122, 8).map(([at, label]) => [at, label]), [[84, "22"], [92, "24"], [100, "26"], [108, "28"], [116, "30"]]);
  assert.deepEqual(barTicks(bars, 1, 3, 8), []);
});

test("a time of music is a bar and a beat of its metre, counted from 1", () => {
  /** @type {[number, number][]} a pickup of an eighth note, two bars of 6/8, one of 3/4 */
  const bars = [[0, 8], [0.5, 8], [3.5, 8], [6.5, 4]];
  assert.deepEqual([0, 0.5, 2.25, 3.4999999, 6.5, 9, 9.5].map((time) => barAndBeat(bars, time)), [
    "bar 1, beat 1", "bar 2, beat 1", "bar 2, beat 4.5", "bar 3, beat 1", "bar 4, beat 1", "bar 4, beat 3.5", "bar 4, beat 4",
  ]);
});
