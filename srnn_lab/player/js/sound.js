// Plays the sounds that belong to the rows.

/** @import { SoundSent } from "./bytes.js" */

const LONGEST = 300; // seconds that are played at the most: an axis of an hour would take 700 MB for each sound
const FADE = 0.008; // seconds in which one sound gives way to another, so that nothing clicks
const WAV_HEADER = 44; // bytes

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
    /** @type {AudioBufferSourceNode | null} while a sound that plays is still on its way, there is none */
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

  /** @param {AudioBuffer} buffer */
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
    const { currentTime } = this.context;
    this.gain.gain.cancelScheduledValues(currentTime);
    this.gain.gain.setTargetAtTime(0, currentTime, FADE / 4);
    this.source.stop(currentTime + FADE);
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
