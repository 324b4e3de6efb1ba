// The browser's half of srnn_lab.player: draws the rows, plays the sounds, and reports what is chosen.

const LEFT = 66, RIGHT = 14, TITLE = 20, LEGEND = 15, LINES = 84, PICTURE = 104, NAMES = 32, AXIS = 38;
const SWATCH = 21; // pixels of a legend before its name
const COLOURS = 52; // pixels of a picture's colours before their highest value
const BOLD = { size: 12, weight: "600" };
const VALUES = 120; // pixels above a row that stay free for the values at the playhead
const PALE = 0.4; // opacity of a line under another
const DENSEST_MARKS = 0.12; // marks a pixel; above it they become ticks at the top
const LONGEST = 300; // seconds that are played at the most: an axis of an hour would take 700 MB for each sound
const FADE = 0.008; // seconds in which one sound gives way to another, so that nothing clicks
const SETTLED = 250; // milliseconds without another step
const live = new Map(); // the players on the page, by their keys
const kept = new Map(); // what a player was doing when another one took its place, or its page was left, by its key

// ---- Bytes from Python -------------------------------------------------------------------------------------------

function headOf(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  return { head, body: bytes.subarray(4 + length) };
}

function unpack(head, body) {
  const buffer = body.slice().buffer; // a copy that begins at a multiple of four
  const kinds = { f4: Float32Array, u1: Uint8Array };
  const array = (place) => new kinds[place.kind](buffer, place.start, place.length);
  return {
    ...head,
    marks: array(head.marks),
    rows: head.rows.map((row) => ({ ...row, ...unpackRow(row, array) })),
  };
}

/** What a row's description does not hold: its arrays. */
function unpackRow(row, array) {
  if (row.names) return { times: array(row.times) };
  if (row.lines) {
    return { lines: row.lines.map((line) => ({ ...line, times: array(line.times), values: array(line.values) })) };
  }
  return {
    image: imageOf(array(row.values), array(row.colours), row.bins),
    scale: imageOf(Uint8Array.from({ length: 256 }, (_, i) => i), array(row.colours), 1),
  };
}

/** A picture with one pixel a value: columns from left to right, the first value of a column at the bottom. */
function imageOf(values, colours, bins) {
  const columns = values.length / bins;
  const canvas = new OffscreenCanvas(columns, bins);
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, bins);
  const table = new Uint32Array(colours.slice().buffer);
  const pixels = new Uint32Array(image.data.buffer);
  for (let column = 0; column < columns; column++) {
    for (let bin = 0; bin < bins; bin++) {
      pixels[(bins - 1 - bin) * columns + column] = table[values[column * bins + bin]];
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

// ---- Sound -------------------------------------------------------------------------------------------------------

const WAV_HEADER = 44;

/** Sounds of which one plays; all share one position in seconds, so that switching does not lose it. */
class Sounds {
  constructor(onChange) {
    this.onChange = onChange; // called when it begins, and when it stops by itself
    this.sounds = [];
    this.buffers = new Map(); // by address
    this.name = null;
    this.missed = null; // what was heard until it went; heard again when it returns
    this.position = 0;
    this.duration = 0;
    this.range = null; // [from, to] in seconds
    this.looping = false;
    this.playing = false; // whether it does, or will as soon as there is a sound
    this.source = null; // while a sound that plays is still on its way, there is none
    this.turn = 0;
  }

  load(sounds, duration) {
    const before = this.address();
    const returns = sounds.some(({ name }) => name === this.missed);
    const settle = () => {
      this.sounds = sounds;
      if (duration !== this.duration) this.buffers.clear(); // each is as long as the axis
      this.duration = duration;
      if (returns) [this.name, this.missed] = [this.missed, null];
      if (!this.address()) [this.missed, this.name] = [this.missed ?? this.name, sounds[0]?.name ?? null];
      this.position = Math.min(this.position, duration);
      const addresses = new Set(sounds.map(({ address }) => address));
      for (const address of this.buffers.keys()) if (!addresses.has(address)) this.buffers.delete(address);
    };
    const same = before && sounds.find(({ name }) => name === this.name)?.address === before;
    if (same && !returns && duration === this.duration) settle();
    else this.change(settle);
    if (this.context) this.fetchAll();
  }

  address() {
    return this.sounds.find(({ name }) => name === this.name)?.address;
  }

  fetchAll() {
    for (const { address } of this.sounds) this.buffer(address).catch(() => this.buffers.delete(address));
  }

  /** The promise of a sound, fetched once. */
  buffer(address) {
    if (!this.buffers.has(address)) this.buffers.set(address, this.fetch(address));
    return this.buffers.get(address);
  }

  async fetch(address) {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
    const content = await answer.arrayBuffer();
    const rate = new DataView(content).getUint32(24, true);
    const samples = new Int16Array(content, WAV_HEADER);
    // As long as the time axis, so that loops and ends are those of the axis.
    const seconds = Math.min(this.duration, LONGEST);
    const buffer = this.context.createBuffer(1, Math.max(1, Math.ceil(seconds * rate)), rate);
    const channel = buffer.getChannelData(0);
    const length = Math.min(samples.length, channel.length);
    for (let i = 0; i < length; i++) channel[i] = samples[i] / 32767;
    return buffer;
  }

  /** Seconds from the start of what is heard at this moment. */
  now() {
    if (!this.source) return this.position;
    const passed = Math.max(0, this.context.currentTime - this.started - (this.context.outputLatency || 0));
    const reached = this.position + passed;
    if (!this.looped) return Math.min(reached, this.stop);
    const [from, to] = this.looped;
    return reached < to ? reached : from + ((reached - from) % (to - from));
  }

  async play() {
    if (this.duration <= 0) return;
    const turn = ++this.turn;
    this.playing = true;
    if (!this.name) return;
    this.context ??= new AudioContext();
    this.context.resume();
    this.fetchAll();
    let buffer;
    try {
      buffer = await this.buffer(this.address());
    } catch (error) {
      console.warn("srnn_lab: a sound did not arrive.", error);
      if (turn === this.turn) this.end(this.position);
      return;
    }
    if (turn === this.turn) this.start(buffer);
  }

  start(buffer) {
    const range = (this.range ?? [0, this.duration]).map((time) => Math.min(time, buffer.duration));
    if (range[0] === range[1]) return this.end(this.position); // a selection beyond what is played
    if (this.position < range[0] || this.position >= range[1] - 0.001) this.position = range[0];
    this.looped = this.looping ? range : null;
    this.stop = range[1];
    const source = new AudioBufferSourceNode(this.context, { buffer, loop: this.looping });
    [source.loopStart, source.loopEnd] = range;
    const gain = new GainNode(this.context, { gain: 0 });
    source.connect(gain).connect(this.context.destination);
    this.started = this.context.currentTime;
    gain.gain.setValueAtTime(0, this.started);
    gain.gain.linearRampToValueAtTime(1, this.started + FADE);
    if (this.looping) source.start(0, this.position);
    else source.start(0, this.position, range[1] - this.position);
    source.onended = () => {
      if (this.source === source) this.end(range[0]); // else it gave way to another
    };
    this.source = source;
    this.gain = gain;
    this.onChange();
  }

  end(position) {
    this.source = null;
    this.playing = false;
    this.position = position;
    this.onChange();
  }

  pause() {
    this.turn++;
    this.playing = false;
    if (!this.source) return;
    this.position = this.now();
    const { currentTime } = this.context;
    this.gain.gain.cancelScheduledValues(currentTime);
    this.gain.gain.setTargetAtTime(0, currentTime, FADE / 4);
    this.source.stop(currentTime + FADE);
    this.source = null;
  }

  /** Change something, and go on playing from there if it played. */
  change(change) {
    const { playing } = this;
    this.pause();
    change();
    if (playing) this.play();
  }

  close() {
    this.pause();
    this.context?.close();
  }
}

// ---- Numbers -----------------------------------------------------------------------------------------------------

const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

function niceStep(span, count) {
  const power = 10 ** Math.floor(Math.log10(span / count));
  return power * [1, 2, 5, 10].find((factor) => (power * factor * count) / span >= 1);
}

function ticks(low, high, count) {
  const step = niceStep(high - low, count);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
    found.push([i * step, (i * step).toFixed(digits).replace("-", "−")]);
  }
  return found;
}

function written(value) {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3).replace("-", "−");
}

/** Index of the first of ascending `times` that is not below `time`. */
function firstFrom(times, time) {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

function nearest(times, time) {
  const after = firstFrom(times, time);
  if (after === 0) return 0;
  if (after === times.length) return after - 1;
  return time - times[after - 1] < times[after] - time ? after - 1 : after;
}

/** Whether a line is a circle at each value, beside a curve that has the same values. */
const isCircles = ({ style }) => style === "dots" || style === "rings";

/** The name that is valid at a time; none before the first. */
function nameAt({ names, times }, time) {
  const next = firstFrom(times, time);
  return names[times[next] === time ? next : next - 1] ?? "";
}

/** The nearest value of a line; none before its first frame, after its last one and in a gap. */
function valueAt({ times, values }, time, step) {
  const i = nearest(times, time);
  const beside = values[times[i] < time ? i + 1 : i - 1];
  return Math.abs(times[i] - time) <= 0.501 * step || Number.isFinite(beside) ? values[i] : NaN;
}

// ---- The player --------------------------------------------------------------------------------------------------

class Player {
  constructor(root) {
    this.root = root;
    root.innerHTML = `
      <div class="bar">
        <button class="play"></button>
        <button class="loop" aria-pressed="false" title="Repeat the selection, or everything (L)">Loop</button>
        <span class="group sounds" role="group" aria-label="Sound"></span>
        <span class="group" role="group" aria-label="Zoom">
          <button class="in" title="Zoom in (+)" aria-label="Zoom in">+</button>
          <button class="out" title="Zoom out (−)" aria-label="Zoom out">−</button>
          <button class="fit" title="Zoom to the selection, or show everything (0)">Fit</button>
        </span>
        <output aria-live="off"></output>
      </div>
      <canvas tabindex="0" role="slider"></canvas>
      <div class="keys">Click: seek · drag, or shift ← →: select · space: play · ← →: a frame · L: loop · Esc: drop the
        selection · + − 0: zoom · digits: sound</div>`;
    this.find = (selector) => root.querySelector(selector);
    this.canvas = this.find("canvas");
    this.background = document.createElement("canvas");
    this.sounds = new Sounds(() => this.playingChanged());
    this.selection = null; // [from, to] in units of the axis, on edges of frames
    this.reach = null; // frames that keys select between: where they began, and the one that moves
    this.hover = null;
    this.dragging = null;
    this.untold = new Map(); // timers of what Python is still to be told
    this.listen();
  }

  listen() {
    const canvas = this.canvas;
    this.find(".play").onclick = () => this.toggle();
    this.find(".loop").onclick = () => this.toggleLoop();
    this.find(".in").onclick = () => this.zoom(0.5);
    this.find(".out").onclick = () => this.zoom(2);
    this.find(".fit").onclick = () => this.fit();
    canvas.onpointerdown = (event) => this.press(event);
    canvas.onpointermove = (event) => this.move(event);
    canvas.onpointerup = (event) => this.release(event);
    canvas.onpointercancel = () => this.cancel();
    canvas.onpointerleave = () => {
      this.hover = null;
      this.draw();
    };
    canvas.onkeydown = (event) => this.type(event);
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.resized = new ResizeObserver(() => this.paint());
    this.resized.observe(canvas.parentElement);
    this.sharpened = () => {
      this.paint();
      this.watchSharpness();
    };
    this.watchSharpness();
    this.delivered = () => this.receive();
    window.addEventListener("srnn-sounds", this.delivered);
  }

  /** A window that is moved to a sharper screen keeps its size, so that no observer tells of it. */
  watchSharpness() {
    this.sharpness?.removeEventListener("change", this.sharpened);
    this.sharpness = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    this.sharpness.addEventListener("change", this.sharpened);
  }

  remember() {
    kept.set(this.key, {
      selection: this.selection,
      position: this.sounds.now(),
      name: this.sounds.name,
      looping: this.sounds.looping,
      view: this.view,
      jumped: this.jumped,
      looked: this.looked,
      end: this.content.end,
      untold: [...this.untold.keys()],
    });
  }

  close() {
    if (live.get(this.key) === this) {
      this.remember();
      live.delete(this.key);
    }
    this.sounds.close();
    this.resized.disconnect();
    this.sharpness.removeEventListener("change", this.sharpened);
    window.removeEventListener("srnn-sounds", this.delivered);
    cancelAnimationFrame(this.waiting);
    for (const timer of this.untold.values()) clearTimeout(timer);
  }

  /** Take over what Python sent; nothing but colours can have changed where the digest is the same. */
  update(bytes, setStateValue) {
    this.setStateValue = setStateValue;
    const { head, body } = headOf(bytes);
    const first = this.content === undefined;
    if (first) {
      this.key = head.key;
      live.get(this.key)?.remember(); // it is closed only after this one has been mounted
      live.set(this.key, this);
      this.restore(kept.get(head.key), head);
    }
    const changed = head.digest !== this.content?.digest;
    const looks = head.look && head.look.number !== this.looked;
    if (changed) {
      const end = this.content?.end;
      this.content = unpack(head, body);
      if (end !== this.content.end && !(first && this.view)) {
        const zoomed = !first && this.view[1] - this.view[0] < end;
        this.view = [0, this.content.end];
        if (zoomed && !looks) this.tellLater("reportLook");
      }
      this.reach = null; // other frames
      if (this.selection) this.keepSelection();
      const range = this.seconds(this.selection);
      if (String(range) !== String(this.sounds.range)) this.sounds.change(() => (this.sounds.range = range));
      this.canvas.setAttribute("aria-label", `${this.content.description} Arrow keys move the playhead, with shift they select, space plays.`);
    }
    if (looks) this.lookAt(head.look);
    const sent = `${head.digest} ${head.turn} ${JSON.stringify(head.sounds)}`; // a turn: a delivery came between
    if (looks || sent !== this.sent) this.takeSounds(head.sounds);
    this.sent = sent;
    this.receive();
    if (head.jump && head.jump.number !== this.jumped) {
      this.jumped = head.jump.number;
      this.forget("reportPlace");
      this.place(head.jump.start, head.jump.end);
    }
    if (changed || looks || this.theme !== this.themeNow()) this.paint();
  }

  /** Zoom to where a link does, and hear its sound as soon as it is there. */
  lookAt({ start, end, sound, number }) {
    this.looked = number;
    if (end > start) this.look(start, end);
    else this.look(0, this.content.end);
    if (sound) this.sounds.missed = sound === this.sounds.name ? null : sound;
  }

  /** Zoom to a stretch of the axis, of a frame at the least. */
  look(start, end) {
    const { end: whole, frame } = this.content;
    const span = clamp(end - start, Math.min(whole, frame.step), whole);
    const begin = clamp(start, 0, whole - span);
    this.view = [begin, begin + span];
  }

  /** The colours and the font of the page, which another theme changes. */
  themeNow() {
    const style = getComputedStyle(this.root);
    return [style.color, style.getPropertyValue("--st-primary-color") || "#0072b2", style.fontFamily].join("|");
  }

  restore(state, head) {
    if (!state) return;
    this.jumped = state.jumped;
    this.looked = state.looked;
    this.selection = state.selection;
    Object.assign(this.sounds, { position: state.position, name: state.name, looping: state.looping });
    state.untold.forEach((what) => this.tellLater(what));
    if (state.end === head.end) this.view = state.view;
    else if (state.view[1] - state.view[0] < state.end) this.tellLater("reportLook");
  }

  /** Sounds that were made after the rows had been sent wait for the player that shows these rows. */
  receive() {
    const waiting = window.srnnSounds?.get(this.key);
    if (!this.content || waiting?.digest !== this.content.digest) return;
    window.srnnSounds.delete(this.key);
    // Of deliveries that follow each other closely, an earlier one may arrive later.
    if (waiting.sounds.length > this.sounds.sounds.length) this.takeSounds(waiting.sounds);
  }

  takeSounds(sounds) {
    this.sounds.load(sounds, this.content.end * this.content.seconds);
    // A button that stays is left alone: another in its place would lose the focus, or a press that has begun.
    const group = this.find(".sounds");
    sounds.forEach(({ name }, index) => {
      let button = group.children[index];
      if (button?.textContent !== name) {
        button = document.createElement("button");
        button.textContent = name;
        button.onclick = () => this.hear(name);
        group.insertBefore(button, group.children[index] ?? null);
      }
      button.title = `Hear this from the same position (${index + 1})`;
    });
    while (group.children.length > sounds.length) group.lastChild.remove();
    this.refresh();
  }

  // -- What it does

  seconds(range) {
    return range && range.map((time) => time * this.content.seconds);
  }

  /** Where the playhead is, in units of the time axis. */
  get time() {
    return this.sounds.now() / this.content.seconds;
  }

  toggle() {
    if (this.sounds.playing) this.sounds.pause();
    else if (this.sounds.name) this.sounds.play();
    this.playingChanged();
  }

  /** Show that a sound plays, or tell where the playhead has stopped. */
  playingChanged() {
    this.refresh();
    if (!this.sounds.playing && !this.selection) this.tellLater("reportPlace");
  }

  toggleLoop() {
    this.sounds.change(() => (this.sounds.looping = !this.sounds.looping));
    this.refresh();
  }

  hear(name) {
    this.sounds.change(() => Object.assign(this.sounds, { name, missed: null }));
    this.refresh();
    this.tellLater("reportLook");
  }

  /** Put the playhead at a time, or select from one to another. */
  place(start, end) {
    start = clamp(start, 0, this.content.end);
    end = clamp(end, 0, this.content.end);
    this.sounds.change(() => {
      this.selection = end > start ? [start, end] : null;
      this.reach = null;
      this.sounds.range = this.seconds(this.selection);
      this.sounds.position = start * this.content.seconds;
    });
    this.show(start, Math.max(start, end));
    this.refresh();
  }

  /** Tell Python; the time of telling makes each choice a new one, even that of the same place again. */
  reportPlace() {
    this.forget("reportPlace");
    const [start, end] = this.selection ?? [this.time, this.time];
    this.setStateValue("place", { start, end, at: performance.now() });
  }

  /** Tell Python what is zoomed to (everything: from 0 to 0) and heard. */
  reportLook() {
    const [start, end] = this.view;
    const whole = end - start >= this.content.end;
    const sound = this.sounds.missed ?? this.sounds.name;
    this.setStateValue("look", { start: whole ? 0 : start, end: whole ? 0 : end, sound });
  }

  /** Report once that has settled: a key held down, or a wheel, would ask Python for each step of its way. */
  tellLater(report) {
    this.forget(report);
    const tell = () => {
      this.forget(report);
      this[report]();
    };
    this.untold.set(report, setTimeout(tell, SETTLED));
  }

  /** What has been told, or is no longer true, is not told. */
  forget(report) {
    clearTimeout(this.untold.get(report));
    this.untold.delete(report);
  }

  /** Scroll the zoomed view so that a range is in it. */
  show(start, end) {
    const [from, to] = this.view;
    if (start >= from && end <= to) return;
    const span = Math.min(this.content.end, Math.max(to - from, 1.2 * (end - start)));
    const begin = clamp((start + end - span) / 2, 0, this.content.end - span);
    this.view = [begin, begin + span];
    this.paint();
  }

  zoom(factor, around = this.time) {
    const [from, to] = this.view;
    const { end, frame } = this.content;
    const span = clamp((to - from) * factor, Math.min(end, 8 * frame.step), end);
    const share = clamp((around - from) / (to - from), 0, 1);
    const begin = clamp(around - share * span, 0, end - span);
    this.view = [begin, begin + span];
    this.paint();
    this.tellLater("reportLook");
  }

  fit() {
    const selection = this.selection;
    const shown = selection && selection.every((time, i) => Math.abs(time - this.view[i]) < 1e-9);
    this.look(...(selection && !shown ? selection : [0, this.content.end]));
    this.paint();
    this.tellLater("reportLook");
  }

  wheel(event) {
    const sideways = event.deltaX || (event.shiftKey ? event.deltaY : 0); // some systems turn it themselves
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.zoom(2 ** (clamp(event.deltaY, -100, 100) / 100), this.timeAt(event.offsetX));
    } else if (sideways && this.view[1] - this.view[0] < this.content.end) {
      event.preventDefault();
      const [from, to] = this.view;
      const begin = clamp(from + (sideways / this.width) * (to - from), 0, this.content.end - (to - from));
      this.view = [begin, begin + to - from];
      this.paint();
      this.tellLater("reportLook");
    }
  }

  // -- Pointer: mouse, finger or pen

  press(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    const x = event.offsetX;
    const near = event.pointerType === "touch" ? 20 : 6;
    const edges = (this.selection ?? []).map((time) => Math.abs(this.x(time) - x));
    const edge = edges.findIndex((distance) => distance <= near);
    // An edge of the selection is dragged again: the other one stays.
    const anchor = edge < 0 ? this.timeAt(x) : this.selection[1 - edge];
    this.dragging = { anchor, from: x, moved: edge >= 0, before: this.selection };
  }

  move(event) {
    this.hover = this.timeAt(event.offsetX);
    if (this.dragging) {
      this.dragging.moved ||= Math.abs(event.offsetX - this.dragging.from) > 3;
      if (this.dragging.moved) this.selection = this.snapped(this.dragging.anchor, this.hover);
    }
    this.draw();
  }

  release(event) {
    if (!this.dragging) return;
    const { moved } = this.dragging;
    this.dragging = null;
    if (moved && this.selection) this.place(...this.selection);
    else this.place(this.timeAt(event.offsetX), 0);
    this.reportPlace();
  }

  cancel() {
    if (!this.dragging) return;
    this.selection = this.dragging.before;
    this.dragging = null;
    this.draw();
  }

  /** From edge to edge of the frames that two times lie in, at least one frame. */
  snapped(one, other) {
    const { start, step, count } = this.content.frame;
    const first = clamp(Math.floor((Math.min(one, other) - start) / step + 1e-6), 0, count - 1);
    const last = clamp(Math.ceil((Math.max(one, other) - start) / step - 1e-6), first + 1, count);
    return [start + first * step, start + last * step];
  }

  /** Snap the selection to other frames, for instance those of another model, as far as the axis still has it. */
  keepSelection() {
    const [from, to] = this.selection;
    const { end, frame } = this.content;
    const slack = Math.min(1e-4, frame.step / 4); // an address has four digits
    const snapped = this.snapped(from + slack, to - slack).map((time) => Math.min(time, end));
    if (snapped.every((time, i) => Math.abs(time - this.selection[i]) < slack)) return;
    this.selection = from < end - slack ? snapped : null;
    this.tellLater("reportPlace");
  }

  /** The frame, counted from 0, in which a time lies. */
  frameAt(time) {
    const { start, step, count } = this.content.frame;
    return clamp(Math.floor((time - start) / step + 1e-6), 0, count - 1);
  }

  // -- Keys

  /** Move the playhead by frames, or to the start. */
  step(frames) {
    const { start, step, count } = this.content.frame;
    const frame = clamp(this.frameAt(this.time) + frames, 0, count - 1);
    this.place(frames === -Infinity ? 0 : start + (frame + 0.5) * step, 0);
  }

  /** Select from the frame at the playhead, or move the end of what is selected. */
  extend(frames) {
    const { start, step, count } = this.content.frame;
    const [from, to] = this.selection ?? [this.time, this.time];
    const [anchor, last] = this.reach ?? [this.frameAt(from), this.frameAt(Math.max(from, to - step / 2))];
    const moved = clamp(last + frames, 0, count - 1);
    const ends = [Math.min(anchor, moved), Math.max(anchor, moved) + 1].map((frame) => start + frame * step);
    this.place(...ends);
    this.reach = [anchor, moved];
  }

  type(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
    const frames = { ...steps, Home: -Infinity, End: Infinity }[event.key];
    const acts = {
      " ": () => this.toggle(),
      l: () => this.toggleLoop(),
      L: () => this.toggleLoop(),
      "+": () => this.zoom(0.5),
      "=": () => this.zoom(0.5),
      "-": () => this.zoom(2),
      0: () => this.fit(),
      Escape: () => {
        if (!this.selection) return;
        this.place(this.time, 0);
        this.reportPlace();
      },
    };
    if (frames) {
      if (event.shiftKey) this.extend(frames);
      else this.step(frames);
      this.tellLater("reportPlace");
    } else if (acts[event.key]) {
      acts[event.key]();
    } else {
      const sound = /^[1-9]$/.test(event.key) && this.sounds.sounds[event.key - 1];
      if (!sound) return;
      this.hear(sound.name);
    }
    event.preventDefault();
  }

  // -- Drawing: the rows into a background when they change, and over it what moves

  x(time) {
    const [from, to] = this.view;
    return LEFT + ((time - from) / (to - from)) * this.width;
  }

  timeAt(x) {
    const [from, to] = this.view;
    return clamp(from + ((x - LEFT) / this.width) * (to - from), 0, this.content.end);
  }

  rowHeight(row) {
    return row.names ? NAMES : row.lines ? LINES : PICTURE;
  }

  paint() {
    this.width = this.canvas.clientWidth - LEFT - RIGHT; // asked for once, since each answer costs a layout
    if (!this.content || this.width < 20) return;
    const scale = devicePixelRatio || 1;
    this.narrow = this.width < 480;
    this.theme = this.themeNow();
    [this.text, this.primary, this.font] = this.theme.split("|");
    const context = this.background.getContext("2d");
    let bottom = 0;
    this.placed = this.content.rows.map((row) => {
      const head = this.headOf(context, row);
      const top = bottom + head.height;
      bottom = top + this.rowHeight(row);
      return { row, head, top, height: this.rowHeight(row) };
    });
    const height = bottom + AXIS;
    this.canvas.style.height = `${height}px`;
    for (const canvas of [this.canvas, this.background]) {
      canvas.width = Math.round(this.canvas.clientWidth * scale);
      canvas.height = Math.round(height * scale);
    }
    this.height = height;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    for (const place of this.placed) place.right = this.paintRow(context, place);
    this.paintMarks(context, bottom);
    this.paintAxis(context, bottom);
    this.canvas.dataset.view = this.view.map((time) => time.toFixed(4)).join("-");
    this.refresh();
  }

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

  /** A text as far as it fits into a width, and how wide that is. */
  fitted(context, text, width, { size = 11, weight = "" } = {}) {
    context.font = `${weight} ${size}px ${this.font}`;
    const measured = (part) => [part, context.measureText(part).width];
    if (measured(text)[1] <= width) return measured(text);
    let length = text.length;
    while (length && measured(`${text.slice(0, length)}…`)[1] > width) length--;
    return measured(`${text.slice(0, length)}…`);
  }

  /** What stands above a row: its title, and its legends or colours, further down where a narrow page has no room. */
  headOf(context, row) {
    const left = LEFT + 5; // beside the playhead at time 0
    const [title, taken] = this.fitted(context, row.title, this.width - 5, BOLD);
    let right = left + taken + 14;
    let y = TITLE - 9;
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
    let legends = [];
    if (row.lines?.length > 1) legends = row.lines.map((line) => put(SWATCH, line.name, { line }));
    else if (!row.lines && row.unit) {
      const [low, high] = row.limits.map(written);
      const before = this.fitted(context, low, this.width)[1] + 4;
      legends = [put(before + COLOURS, `${high} ${row.unit}`, { scale: row.scale, low, before })];
    }
    return { title, left, legends, right, height: y + 9 };
  }

  /** Draws a row, and tells where the text above it ends. */
  paintRow(context, { row, head, top, height }) {
    const inside = height - 8; // what is left is the gap to the next row
    if (row.names) {
      this.write(context, head.title, head.left, top - head.height + TITLE - 9, BOLD);
      this.paintNames(context, row, top, inside);
      return head.right;
    }
    const y = (value) => top + inside - ((value - row.limits[0]) / (row.limits[1] - row.limits[0])) * inside;
    this.write(context, head.title, head.left, top - head.height + TITLE - 9, BOLD);
    context.save();
    context.beginPath();
    context.rect(LEFT, top - 4, this.width, inside + 8);
    context.clip();
    if (row.lines) {
      this.paintGrid(context, row, y, inside);
      for (const line of row.lines) {
        this.paintLine(context, line, (value) => y(row.note ? clamp(value, ...row.limits) : value));
        if (row.note && !isCircles(line)) this.paintBeyond(context, line, row.limits, y);
      }
    } else {
      this.paintPicture(context, row, top, inside);
    }
    context.restore();
    context.save();
    context.translate(0, top - head.height);
    for (const legend of head.legends) {
      if (legend.scale) this.paintColours(context, legend);
      else this.paintLegend(context, legend);
    }
    context.restore();
    let { right } = head;
    const room = LEFT + this.width - VALUES - right;
    if (row.note && room > 40) {
      const [note] = this.fitted(context, row.note, room);
      right += this.write(context, note, right, top - 9, { fade: 0.85 }) + 12;
    }
    this.paintScale(context, row, y, top, inside);
    return right;
  }

  /** A box for each name, with the name in it where it has room. */
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

  /** Triangles at the edge of the axis, where a line leaves it. */
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

  /** The colours of a picture between the values at their ends. */
  paintColours(context, { scale, low, before, text, x, y }) {
    this.write(context, low, x, y, { fade: 0.85 });
    context.drawImage(scale, x + before, y - 4, COLOURS - 4, 8);
    this.write(context, text, x + before + COLOURS, y, { fade: 0.85 });
  }

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

  scaleTicks(row, inside) {
    if (row.lines) return ticks(...row.limits, Math.max(2, inside / 18));
    const [low, high] = [-0.5, row.bins - 0.5];
    return row.ticks.filter(([at]) => at >= low && at <= high);
  }

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

  paintScale(context, row, y, top, inside) {
    const place = row.lines ? y : (at) => top + inside * (1 - (at + 0.5) / row.bins);
    for (const [value, label] of this.scaleTicks(row, inside)) {
      this.write(context, label, LEFT - 6, place(value), { align: "right" });
    }
    context.save();
    context.translate(10, top + inside / 2);
    context.rotate(-Math.PI / 2);
    this.write(context, row.lines ? row.unit : row.axis, 0, 0, { align: "center", fade: 0.85 });
    context.restore();
  }

  paintLine(context, line, y) {
    const { times, values } = line;
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

  traceCircles(context, { times, values }, first, last, y) {
    const radius = last - first > DENSEST_MARKS * this.width ? 1.5 : 3.5; // many would cover the line
    for (let i = first; i < last; i++) {
      const x = this.x(times[i]);
      context.moveTo(x + radius, y(values[i]));
      context.arc(x, y(values[i]), radius, 0, 2 * Math.PI);
    }
  }

  traceSteps(context, { times, values }, first, last, y) {
    const { step } = this.content.frame;
    for (let i = first; i < last; i++) {
      context.lineTo(this.x(times[i] - step / 2), y(values[i]));
      context.lineTo(this.x(times[i] + step / 2), y(values[i]));
    }
  }

  /** Where several points share a pixel, only their extremes are drawn. */
  traceCurve(context, { times, values }, first, last, y) {
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
    const [at, align] = this.narrow ? [LEFT, "left"] : [LEFT + this.width / 2, "center"];
    this.write(context, `time (${this.content.unit})`, at, top + AXIS - 8, { align, size: 12 });
  }

  /** Buttons, values for assistive technology, and then what moves, for as long as it moves. */
  refresh() {
    const { sounds, content } = this;
    const play = this.find(".play");
    play.textContent = sounds.playing ? "Pause" : "Play";
    play.disabled = !sounds.name && !sounds.playing;
    play.title = sounds.name ? "Space, when the rows have the focus" : "There is no sound to play";
    this.find(".loop").setAttribute("aria-pressed", sounds.looping);
    this.find(".loop").disabled = !sounds.name;
    for (const button of this.find(".sounds").children) {
      button.setAttribute("aria-pressed", button.textContent === sounds.name);
    }
    this.canvas.setAttribute("aria-valuemin", 0);
    this.canvas.setAttribute("aria-valuemax", content.end);
    this.draw();
  }

  draw() {
    cancelAnimationFrame(this.waiting);
    if (!this.content || !this.height) return;
    const { time } = this;
    if (this.sounds.source) {
      if (time > this.view[1] || time < this.view[0]) return this.turnPage(time);
      this.waiting = requestAnimationFrame(() => this.draw());
    }
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
    if (this.selection) this.drawSelection(context);
    if (this.hover !== null) this.drawUpright(context, this.hover, this.text, 0.5, 1);
    this.drawUpright(context, time, this.primary, 1, 2);
    context.restore();
    this.drawValues(context, this.hover ?? time);
    this.tell(time);
  }

  turnPage(time) {
    const span = this.view[1] - this.view[0];
    const begin = clamp(time, 0, this.content.end - span);
    this.view = [begin, begin + span];
    this.paint();
  }

  drawSelection(context) {
    const [from, to] = this.selection.map((time) => this.x(time));
    context.fillStyle = context.strokeStyle = this.primary;
    context.globalAlpha = 0.16;
    context.fillRect(from, 0, to - from, this.height - AXIS);
    context.globalAlpha = 0.8;
    context.lineWidth = 1;
    context.strokeRect(from, 0.5, to - from, this.height - AXIS);
    context.globalAlpha = 1;
  }

  drawUpright(context, time, colour, opacity, width) {
    context.fillStyle = colour;
    context.globalAlpha = opacity;
    context.fillRect(this.x(time) - width / 2, 0, width, this.height - AXIS);
    context.globalAlpha = 1;
  }

  /** The values of each row at a time, at the right of its title; of several lines beside their colours. */
  drawValues(context, time) {
    for (const { row, top, right } of this.placed) {
      const parts = row.lines ? this.valuesOfLines(row, time) : row.names ? [{ text: nameAt(row, time) }] : [];
      context.font = `11px ${this.font}`;
      let x = LEFT + this.width - context.measureText(parts.map(({ text }) => text).join("")).width;
      if (x > right) for (const { text, colour } of parts) x += this.write(context, text, x, top - 9, { colour });
    }
  }

  /** The value of each line that has one at a time, and after the last of them their unit. */
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

  tell(time) {
    const { unit, end } = this.content;
    const digits = unit === "s" ? 3 : 2;
    const chosen = this.selection
      ? ` · selected ${this.selection.map((edge) => edge.toFixed(digits)).join(" to ")} ${unit}`
      : "";
    const text = `${time.toFixed(digits)} of ${end.toFixed(digits)} ${unit} · frame ${this.frameAt(time)}${chosen}`;
    this.find("output").textContent = text;
    this.canvas.dataset.time = time.toFixed(4);
    // A screen reader says each change of the focused slider.
    if (this.sounds.playing && performance.now() - this.told < 1000) return;
    this.told = performance.now();
    this.canvas.setAttribute("aria-valuenow", time.toFixed(4));
    this.canvas.setAttribute("aria-valuetext", text);
  }
}

export default function ({ data, parentElement, setStateValue }) {
  let root = parentElement.querySelector(".player");
  if (!root) {
    root = document.createElement("div");
    root.className = "player";
    parentElement.appendChild(root);
    root.player = new Player(root);
  }
  root.player.update(data, setStateValue);
  // Streamlit also cleans up after a call that a newer one has overtaken: the player goes only with its page.
  return () => root.isConnected || root.player.close();
}
