// Plays the sounds that belong to the rows.

import { clamp, wrapped } from "./numbers.js";

/** @import { SoundSent } from "./bytes.js" */

const LONGEST = 300; // seconds that are played at the most: an axis of an hour would take 700 MB for each sound
const FADE = 0.008; // seconds in which one sound gives way to another, so that nothing clicks
const WAV_HEADER = 44; // bytes
const RIFF = 0x52494646; // the letters that begin a WAV file

/** Sounds of which one plays; all share one position in seconds, so that switching does not lose it. */
export class Sounds {
  /** @param {() => void} onChange called when it begins, and when it stops by itself */
  constructor(onChange) {
    this.onChange = onChange;
    /** @type {SoundSent[]} */
    this.sounds = [];
    /** @type {Map<string, Promise<AudioBuffer>>} by address */
    this.buffers = new Map();
    /** @type {string | null} */
    this.name = null;
    /** @type {string | null} what was heard until it went; heard again when it returns */
    this.missed = null;
    this.position = 0;
    this.duration = 0;
    /** @type {[number, number] | null} in seconds */
    this.range = null;
    this.looping = false;
    this.playing = false; // whether it does, or will as soon as there is a sound
    this.speed = 1; // seconds of sound in a second; below 1 the pitch is kept
    /** @type {Voice | null} while a sound that plays is still on its way, there is none */
    this.source = null;
    this.turn = 0;
    /** @type {AudioContext | undefined} none before something is played */
    this.context = undefined;
  }

  /**
   * Have other sounds, over an axis of so many seconds.
   * @param {SoundSent[]} sounds
   * @param {number} duration
   */
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

  /**
   * The promise of a sound, fetched once.
   * @param {string} address
   */
  buffer(address) {
    if (!this.buffers.has(address)) this.buffers.set(address, this.fetch(address));
    return this.buffers.get(address);
  }

  /** @param {string} address */
  async fetch(address) {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
    const { rate, samples } = await this.read(await answer.arrayBuffer());
    // As long as the time axis, so that loops and ends are those of the axis.
    const seconds = Math.min(this.duration, LONGEST);
    const buffer = this.context.createBuffer(1, Math.max(1, Math.ceil(seconds * rate)), rate);
    const channel = buffer.getChannelData(0);
    const length = Math.min(samples.length, channel.length);
    for (let i = 0; i < length; i++) channel[i] = samples[i];
    return buffer;
  }

  /**
   * The samples of a file: of WAV, which a dashboard sends, at its own rate; of FLAC as the browser decodes it.
   * @param {ArrayBuffer} content
   */
  async read(content) {
    const head = new DataView(content);
    if (head.getUint32(0) !== RIFF) {
      const decoded = await this.context.decodeAudioData(content);
      return { rate: decoded.sampleRate, samples: decoded.getChannelData(0) };
    }
    const samples = Float32Array.from(new Int16Array(content, WAV_HEADER), (sample) => sample / 32767);
    return { rate: head.getUint32(24, true), samples };
  }

  /** Seconds from the start of what is heard at this moment. */
  now() {
    return this.source ? this.source.now() : this.position;
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

  /** @param {AudioBuffer} buffer */
  start(buffer) {
    const range = (this.range ?? [0, this.duration]).map((time) => Math.min(time, buffer.duration));
    const [from, to] = range;
    if (from === to) return this.end(this.position); // a selection beyond what is played
    if (this.position < from || this.position >= to - 0.001) this.position = from;
    /** @type {Piece} */
    const piece = { from, to, position: this.position, looping: this.looping };
    const ended = () => {
      if (this.source === source) this.end(from); // else it gave way to another
    };
    const source =
      this.speed === 1
        ? playBuffer(this.context, buffer, piece, ended)
        : playSlowly(this.context, this.address(), this.speed, piece, ended);
    this.source = source;
    this.onChange();
  }

  /** @param {number} position */
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
    this.source.stop();
    this.source = null;
  }

  /**
   * Change something, and go on playing from there if it played.
   * @param {() => void} change
   */
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

/**
 * What is played of a sound, in seconds.
 * @typedef {{ from: number, to: number, position: number, looping: boolean }} Piece
 */

/**
 * A sound that plays: where it is, in seconds from its start, and how it gives way to another.
 * @typedef {{ now: () => number, stop: () => void }} Voice
 */

/**
 * Play at full speed, without a gap where a loop begins again.
 * @param {AudioContext} context
 * @param {AudioBuffer} buffer
 * @param {Piece} piece
 * @param {() => void} ended
 * @returns {Voice}
 */
function playBuffer(context, buffer, { from, to, position, looping }, ended) {
  const source = new AudioBufferSourceNode(context, { buffer, loop: looping, loopStart: from, loopEnd: to });
  const fadeOut = fadeIn(context, source);
  const started = context.currentTime;
  if (looping) source.start(0, position);
  else source.start(0, position, to - position);
  source.onended = ended;
  return {
    now() {
      const reached = position + Math.max(0, context.currentTime - started - (context.outputLatency || 0));
      return looping ? wrapped(reached, from, to) : Math.min(reached, to);
    },
    stop: () => source.stop(fadeOut()),
  };
}

/**
 * Play slowly at the sound's own pitch, which browsers keep for media elements.
 * @param {AudioContext} context
 * @param {string} address
 * @param {number} speed
 * @param {Piece} piece
 * @param {() => void} ended
 * @returns {Voice}
 */
function playSlowly(context, address, speed, { from, to, position, looping }, ended) {
  const element = new Audio();
  const fadeOut = fadeIn(context, new MediaElementAudioSourceNode(context, { mediaElement: element }));
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const close = () => {
    clearTimeout(timer);
    element.pause();
    URL.revokeObjectURL(element.src);
  };
  /** At the end of the piece begin again, or end; elements tell the time too rarely for short pieces. */
  const watch = () => {
    clearTimeout(timer);
    if (element.currentTime >= to - 0.002 || element.ended) {
      if (!looping) {
        close();
        return ended();
      }
      element.currentTime = from;
      element.play();
    }
    timer = setTimeout(watch, Math.max(4, (1000 * (to - element.currentTime)) / speed));
  };
  let stopped = false;
  const begin = async () => {
    // A server need not be able to begin in the middle of a file, and without that an element cannot either.
    const content = await (await fetch(address)).blob();
    if (stopped) return;
    element.src = URL.createObjectURL(content);
    element.currentTime = position;
    element.playbackRate = speed;
    await element.play();
    watch();
  };
  element.onended = watch;
  begin().catch((error) => {
    if (stopped) return;
    console.warn("srnn_lab: a sound cannot be played slowly.", error);
    ended();
  });
  return {
    now: () => clamp(element.currentTime || position, from, to),
    stop() {
      stopped = true;
      fadeOut();
      setTimeout(close, 2000 * FADE);
    },
  };
}

/**
 * Let a sound be heard without a click; what is returned fades it out and tells when it is silent.
 * @param {AudioContext} context
 * @param {AudioNode} source
 */
function fadeIn(context, source) {
  const gain = new GainNode(context, { gain: 0 });
  source.connect(gain).connect(context.destination);
  gain.gain.setValueAtTime(0, context.currentTime);
  gain.gain.linearRampToValueAtTime(1, context.currentTime + FADE);
  return () => {
    gain.gain.cancelScheduledValues(context.currentTime);
    gain.gain.setTargetAtTime(0, context.currentTime, FADE / 4);
    return context.currentTime + FADE;
  };
}
