// The browser's half of srnn_lab.player: shows the rows, plays the sounds, and reports what is chosen.

import { headOf, unpack } from "./js/bytes.js";
import { barAndBeat, clamp, frameAt, nextSpeed, snapped } from "./js/numbers.js";
import { Painter } from "./js/painter.js";
import { Sounds } from "./js/sound.js";

/** @import { AskTold, Delivery, Head, LookSent, LookTold, PlaceTold, SoundSent } from "./js/bytes.js" */
/**
 * @typedef {{
 *   (name: "place", told: PlaceTold): void,
 *   (name: "look", told: LookTold): void,
 *   (name: "ask", told: AskTold): void,
 * }} Tell
 */
/** @typedef {"reportPlace" | "reportLook"} Report */

const SETTLED = 250; // milliseconds without another step
const SPEEDS = [0.25, 0.5, 0.75, 1];
/** @type {Map<string, Player>} the players on the page, by their keys */
const live = new Map();
/** @type {Map<string, ReturnType<Player["state"]>>} what players did until replaced, or their page was left */
const kept = new Map();

class Player {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    root.innerHTML = `
      <div class="bar">
        <button class="play"></button>
        <button class="loop" aria-pressed="false" title="Repeat the selection, or everything (L)">Loop</button>
        <select class="speed" aria-label="Speed" title="Slower, at the same pitch (<, >)">
          <option value="0.25">¼×</option>
          <option value="0.5">½×</option>
          <option value="0.75">¾×</option>
          <option value="1" selected>1×</option>
        </select>
        <span class="group sounds" role="group" aria-label="Sound"></span>
        <span class="group" role="group" aria-label="Zoom">
          <button class="in" title="Zoom in (+)" aria-label="Zoom in">+</button>
          <button class="out" title="Zoom out (−)" aria-label="Zoom out">−</button>
          <button class="fit" title="Zoom to the selection, or show everything (0)">Fit</button>
        </span>
        <output aria-live="off"></output>
      </div>
      <div class="rows"><canvas tabindex="0" role="slider"></canvas><span class="plays"></span></div>
      <div class="keys">Click: seek · drag, or shift ← →: select<span class="heard"> · space: play</span> · ← →: a
        frame<span class="heard"> · L: loop</span> · Esc: clear the selection · + − 0: zoom<span
        class="heard"> · digits: sound · &lt; &gt;: speed</span></div>`;
    /** @type {(selector: string) => any} */
    this.find = (selector) => root.querySelector(selector);
    /** @type {HTMLCanvasElement} */
    this.canvas = this.find("canvas");
    this.painter = new Painter(this.canvas);
    this.sounds = new Sounds(() => this.playingChanged());
    /** @type {SoundSent[]} what is on the switch, whether or not it is made yet */
    this.offered = [];
    this.heard = false;
    /** @type {[number, number] | null} in units of the axis, on edges of frames */
    this.selection = null;
    /** @type {[number, number] | null} frames that keys select between: where they began, and the one that moves */
    this.reach = null;
    /** @type {number | null} time under the pointer */
    this.hover = null;
    /** @type {{ anchor: number, from: number, moved: boolean, before: [number, number] | null } | null} */
    this.dragging = null;
    this.sliding = false; // whether the strip over the rows is dragged
    /** @type {Map<Report, ReturnType<typeof setTimeout>>} timers of what Python is still to be told */
    this.untold = new Map();
    /** @type {number | undefined} number of the last jump that Python asked for */
    this.jumped = undefined;
    /** @type {number | undefined} number of the last look that Python asked for */
    this.looked = undefined;
    this.listen();
  }

  get content() {
    return this.painter.content;
  }

  get view() {
    return this.painter.view;
  }

  listen() {
    const canvas = this.canvas;
    this.find(".play").onclick = () => this.toggle();
    this.find(".loop").onclick = () => this.toggleLoop();
    this.find(".speed").onchange = () => this.setSpeed(Number(this.find(".speed").value));
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

  state() {
    return {
      selection: this.selection,
      position: this.sounds.now(),
      name: this.sounds.name,
      looping: this.sounds.looping,
      speed: this.sounds.speed,
      view: this.view,
      jumped: this.jumped,
      looked: this.looked,
      end: this.content.end,
      untold: [...this.untold.keys()],
    };
  }

  remember() {
    kept.set(this.key, this.state());
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

  /**
   * Take over what Python sent; nothing but colours can have changed where the digest is the same.
   * @param {Uint8Array} bytes
   * @param {Tell} setStateValue
   */
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
      this.painter.content = unpack(head, body);
      if (end !== this.content.end && !(first && this.view)) {
        const zoomed = !first && this.view[1] - this.view[0] < end;
        this.painter.scroll(0, this.content.end);
        if (zoomed && !looks) this.tellLater("reportLook");
      }
      this.reach = null; // other frames
      if (this.selection) this.keepSelection();
      const range = this.seconds(this.selection);
      if (String(range) !== String(this.sounds.range)) this.sounds.change(() => (this.sounds.range = range));
      const keys = "Arrow keys move the playhead, with shift they select, space plays.";
      this.canvas.setAttribute("aria-label", `${this.content.description} ${keys}`);
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
    if (changed || looks || this.painter.faded) this.paint();
  }

  /**
   * Zoom to where a link does, and hear its sound as soon as it is there.
   * @param {LookSent} look
   */
  lookAt({ start, end, sound, number }) {
    this.looked = number;
    if (end > start) this.painter.look(start, end);
    else this.painter.look(0, this.content.end);
    if (sound) this.sounds.missed = sound === this.sounds.name ? null : sound;
  }

  /**
   * Go on with what the player of that key was doing.
   * @param {ReturnType<Player["state"]> | undefined} state
   * @param {Head} head
   */
  restore(state, head) {
    if (!state) return;
    this.jumped = state.jumped;
    this.looked = state.looked;
    this.selection = state.selection;
    const { position, name, looping, speed } = state;
    Object.assign(this.sounds, { position, name, looping, speed });
    state.untold.forEach((what) => this.tellLater(what));
    if (state.end === head.end) this.painter.view = state.view;
    else if (state.view[1] - state.view[0] < state.end) this.tellLater("reportLook");
  }

  /** Sounds that were made after the rows had been sent wait for the player that shows these rows. */
  receive() {
    /** @type {Delivery | undefined} */
    const waiting = window.srnnSounds?.get(this.key);
    if (!this.content || waiting?.digest !== this.content.digest) return;
    window.srnnSounds.delete(this.key);
    // Of deliveries that follow each other closely, an earlier one may arrive later.
    const made = waiting.sounds.filter(({ address }) => address);
    if (made.length > this.sounds.sounds.length) this.takeSounds(waiting.sounds);
  }

  /** @param {SoundSent[]} sounds */
  takeSounds(sounds) {
    this.offered = sounds;
    this.heard ||= sounds.length > 0; // sounds that go come back
    this.find(".bar").classList.toggle("silent", !this.heard);
    const made = sounds.filter(({ address }) => address);
    this.sounds.load(made, this.content.end * this.content.seconds);
    // A button that stays is left alone: another in its place would lose the focus, or a press that has begun.
    const group = this.find(".sounds");
    sounds.forEach(({ name, address, onRequest }, index) => {
      let button = group.children[index];
      if (button?.textContent !== name) {
        button = document.createElement("button");
        button.textContent = name;
        button.onclick = () => this.hear(name);
        group.insertBefore(button, group.children[index] ?? null);
      }
      button.classList.toggle("unmade", !address);
      button.title = address
        ? `Hear this from the same position (${index + 1})`
        : onRequest
          ? "Not made yet: press to make it, which takes a while"
          : "Being made";
    });
    while (group.children.length > sounds.length) group.lastChild.remove();
    this.refresh();
  }

  // -- What it does

  /**
   * @param {[number, number] | null} range in units of the axis
   * @returns {[number, number] | null}
   */
  seconds(range) {
    const { seconds } = this.content;
    return range && [range[0] * seconds, range[1] * seconds];
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

  /**
   * Hear a sound, or, if it is not made yet, ask for it and hear it when it is there.
   * @param {string} name
   */
  hear(name) {
    const { address, onRequest } = this.offered.find((sound) => sound.name === name);
    if (address) this.sounds.change(() => Object.assign(this.sounds, { name, missed: null }));
    else this.sounds.missed = name;
    this.refresh();
    if (!address && onRequest) this.setStateValue("ask", { name, at: performance.now() });
    else this.tellLater("reportLook");
  }

  /**
   * Play a sound, or pause it if it plays.
   * @param {string} name
   */
  playOrPause(name) {
    if (this.sounds.name !== name) this.hear(name);
    else if (this.sounds.playing) return this.toggle();
    if (!this.sounds.playing) this.toggle();
  }

  /** @param {number} speed seconds of sound in a second */
  setSpeed(speed) {
    this.sounds.change(() => (this.sounds.speed = speed));
    this.refresh();
  }

  /**
   * Put the playhead at a time, or select from one to another.
   * @param {number} start
   * @param {number} end
   */
  place(start, end) {
    start = clamp(start, 0, this.content.end);
    end = clamp(end, 0, this.content.end);
    this.sounds.change(() => {
      this.selection = end > start ? [start, end] : null;
      this.reach = null;
      this.sounds.range = this.seconds(this.selection);
      this.sounds.position = start * this.content.seconds;
    });
    if (this.painter.reveal(start, Math.max(start, end))) this.paint();
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
    const [start, end] = this.painter.whole ? [0, 0] : this.view;
    const sound = this.sounds.missed ?? this.sounds.name;
    this.setStateValue("look", { start, end, sound });
  }

  /**
   * Report once that has settled: a key held down, or a wheel, would ask Python for each step of its way.
   * @param {Report} report
   */
  tellLater(report) {
    this.forget(report);
    const tell = () => {
      this.forget(report);
      this[report]();
    };
    this.untold.set(report, setTimeout(tell, SETTLED));
  }

  /**
   * What has been told, or is no longer true, is not told.
   * @param {Report} report
   */
  forget(report) {
    clearTimeout(this.untold.get(report));
    this.untold.delete(report);
  }

  /**
   * Show so many times as much.
   * @param {number} factor
   * @param {number} around time that stays where it is
   */
  zoom(factor, around = this.time) {
    this.painter.zoom(factor, around);
    this.paint();
    this.tellLater("reportLook");
  }

  /** Zoom to the selection; if that is shown, show everything. */
  fit() {
    const selection = this.selection;
    const shown = selection && selection.every((time, i) => Math.abs(time - this.view[i]) < 1e-9);
    const [start, end] = selection && !shown ? selection : [0, this.content.end];
    this.painter.look(start, end);
    this.paint();
    this.tellLater("reportLook");
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    const sideways = event.deltaX || (event.shiftKey ? event.deltaY : 0); // some systems turn it themselves
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      this.zoom(2 ** (clamp(event.deltaY, -100, 100) / 100), this.painter.timeAt(event.offsetX));
    } else if (sideways && !this.painter.whole) {
      event.preventDefault();
      const [from, to] = this.view;
      this.painter.scroll(from + (sideways / this.painter.width) * (to - from), to - from);
      this.paint();
      this.tellLater("reportLook");
    }
  }

  // -- Pointer: mouse, finger or pen

  /** @param {PointerEvent} event */
  press(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    const x = event.offsetX;
    this.sliding = event.offsetY < this.painter.overview;
    if (this.sliding) return this.slide(x);
    const near = event.pointerType === "touch" ? 20 : 6;
    const edges = (this.selection ?? []).map((time) => Math.abs(this.painter.x(time) - x));
    const edge = edges.findIndex((distance) => distance <= near);
    // An edge of the selection is dragged again: the other one stays.
    const anchor = edge < 0 ? this.painter.timeAt(x) : this.selection[1 - edge];
    this.dragging = { anchor, from: x, moved: edge >= 0, before: this.selection };
  }

  /**
   * Show what lies around a place of the strip over the rows.
   * @param {number} x
   */
  slide(x) {
    const [from, to] = this.view;
    this.painter.scroll(this.painter.timeOverAll(x) - (to - from) / 2, to - from);
    this.paint();
    this.tellLater("reportLook");
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (this.sliding) return this.slide(event.offsetX);
    this.hover = this.painter.timeAt(event.offsetX);
    if (this.dragging) {
      this.dragging.moved ||= Math.abs(event.offsetX - this.dragging.from) > 3;
      if (this.dragging.moved) this.selection = snapped(this.content.frame, this.dragging.anchor, this.hover);
    }
    this.draw();
  }

  /** @param {PointerEvent} event */
  release(event) {
    this.sliding = false;
    if (!this.dragging) return;
    const { moved } = this.dragging;
    this.dragging = null;
    if (moved && this.selection) this.place(...this.selection);
    else this.place(this.painter.timeAt(event.offsetX), 0);
    this.reportPlace();
  }

  cancel() {
    this.sliding = false;
    if (!this.dragging) return;
    this.selection = this.dragging.before;
    this.dragging = null;
    this.draw();
  }

  /** Snap the selection to other frames, for instance those of another model, as far as the axis still has it. */
  keepSelection() {
    const [from, to] = this.selection;
    const { end, frame } = this.content;
    const slack = Math.min(1e-4, frame.step / 4); // an address has four digits
    const [start, stop] = snapped(frame, from + slack, to - slack).map((time) => Math.min(time, end));
    if (Math.abs(start - from) < slack && Math.abs(stop - to) < slack) return;
    this.selection = from < end - slack ? [start, stop] : null;
    this.tellLater("reportPlace");
  }

  // -- Keys

  /**
   * Move the playhead by frames, or to the start.
   * @param {number} frames
   */
  step(frames) {
    const { start, step, count } = this.content.frame;
    const frame = clamp(frameAt(this.content.frame, this.time) + frames, 0, count - 1);
    this.place(frames === -Infinity ? 0 : start + (frame + 0.5) * step, 0);
  }

  /**
   * Select from the frame at the playhead, or move the end of what is selected.
   * @param {number} frames
   */
  extend(frames) {
    const { frame } = this.content;
    const { start, step, count } = frame;
    const [from, to] = this.selection ?? [this.time, this.time];
    const [anchor, last] = this.reach ?? [frameAt(frame, from), frameAt(frame, Math.max(from, to - step / 2))];
    const moved = clamp(last + frames, 0, count - 1);
    this.place(start + Math.min(anchor, moved) * step, start + (Math.max(anchor, moved) + 1) * step);
    this.reach = [anchor, moved];
  }

  /** @param {KeyboardEvent} event */
  type(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
    const frames = { ...steps, Home: -Infinity, End: Infinity }[event.key];
    /** @type {Record<string, () => void>} */
    const acts = {
      " ": () => this.toggle(),
      l: () => this.toggleLoop(),
      L: () => this.toggleLoop(),
      "+": () => this.zoom(0.5),
      "=": () => this.zoom(0.5),
      "-": () => this.zoom(2),
      0: () => this.fit(),
      "<": () => this.setSpeed(nextSpeed(SPEEDS, this.sounds.speed, -1)),
      ">": () => this.setSpeed(nextSpeed(SPEEDS, this.sounds.speed, 1)),
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
      const sound = /^[1-9]$/.test(event.key) && this.offered[Number(event.key) - 1];
      if (!sound) return;
      this.hear(sound.name);
    }
    event.preventDefault();
  }

  // -- Showing it

  paint() {
    if (this.painter.paint()) this.refresh();
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
    this.find(".speed").value = String(sounds.speed);
    for (const button of this.find(".sounds").children) {
      button.setAttribute("aria-pressed", button.textContent === sounds.name);
      const awaited = button.textContent === sounds.missed && button.classList.contains("unmade");
      button.setAttribute("aria-busy", awaited);
    }
    this.refreshPlays();
    this.canvas.setAttribute("aria-valuemin", "0");
    this.canvas.setAttribute("aria-valuemax", String(content.end));
    this.draw();
  }

  /** At the title of each row that is a sound, a button of its own. */
  refreshPlays() {
    const made = this.offered.filter(({ address }) => address).map(({ name }) => name);
    const heard = this.painter.placed.filter(({ row }) => made.includes(row.title));
    const group = this.find(".plays");
    heard.forEach(({ row, header, top }, index) => {
      const { title } = row;
      let button = group.children[index];
      if (button?.dataset.sound !== title) {
        button = document.createElement("button");
        button.dataset.sound = title;
        button.onclick = () => this.playOrPause(title);
        group.insertBefore(button, group.children[index] ?? null);
      }
      const plays = this.sounds.playing && this.sounds.name === title;
      button.textContent = plays ? "❚❚" : "▶\ufe0e"; // as a text, not as a picture
      button.setAttribute("aria-label", `${plays ? "Pause" : "Play"} ${title}`);
      button.title = `${plays ? "Pause" : "Hear"} this row from where the playhead is`;
      button.style.top = `${top - header.height}px`;
    });
    while (group.children.length > heard.length) group.lastChild.remove();
  }

  draw() {
    cancelAnimationFrame(this.waiting);
    if (!this.painter.height) return;
    const { time } = this;
    if (this.sounds.source) {
      const [from, to] = this.view;
      if (time > to || time < from) {
        this.painter.scroll(time, to - from);
        return this.paint();
      }
      this.waiting = requestAnimationFrame(() => this.draw());
    }
    this.painter.draw(time, this.selection, this.hover);
    this.tell(time);
  }

  /** @param {number} time */
  tell(time) {
    const { unit, end, bars } = this.content;
    const digits = unit === "s" ? 3 : 2;
    /** @param {number} when */
    const inWords = (when) => (bars.length ? barAndBeat(bars, when) : when.toFixed(digits));
    const whole = bars.length ? `${bars.length} bars` : `${end.toFixed(digits)} ${unit}`;
    const edges = this.selection?.map(inWords).join(" to ");
    const chosen = edges ? ` · selected ${edges}${bars.length ? "" : ` ${unit}`}` : "";
    const frame = frameAt(this.content.frame, time);
    const text = `${inWords(time)} of ${whole} · frame ${frame}${chosen}`;
    this.find("output").textContent = text;
    this.canvas.dataset.time = time.toFixed(4);
    // A screen reader says each change of the focused slider.
    if (this.sounds.playing && performance.now() - this.told < 1000) return;
    this.told = performance.now();
    this.canvas.setAttribute("aria-valuenow", time.toFixed(4));
    this.canvas.setAttribute("aria-valuetext", text);
  }
}

/** @param {{ data: Uint8Array, parentElement: HTMLElement, setStateValue: Tell }} component */
export default function ({ data, parentElement, setStateValue }) {
  /** @type {HTMLElement & { player?: Player }} */
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
