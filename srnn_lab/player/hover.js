// Plays what lies under the pointer of a chart. Each sound is fetched once, when it is first heard.

/** @typedef {{ addresses: string[], before: number, after: number }} Heard */

/** How long the pointer rests on a point before it sounds, in milliseconds. */
const REST = 60;

/** @param {{ data: Heard }} component */
export default function ({ data }) {
  const context = new AudioContext();
  /** @type {Map<string, Promise<AudioBuffer>>} */
  const fetched = new Map();
  /** @type {AudioBufferSourceNode | undefined} */
  let source;
  let asked = 0;

  /** @param {string} address */
  const soundOf = (address) => {
    if (!fetched.has(address)) {
      const made = fetch(address)
        .then((answer) => answer.arrayBuffer())
        .then((content) => context.decodeAudioData(content));
      fetched.set(address, made);
      made.catch(() => fetched.delete(address)); // asked for again at the next hover
    }
    return fetched.get(address);
  };

  /** @param {[number, number]} point */
  const play = async ([clip, time]) => {
    if (!data.addresses[clip]) return;
    const mine = ++asked;
    await context.resume();
    const sound = await soundOf(data.addresses[clip]);
    if (mine !== asked) return; // the pointer has gone on
    source?.stop();
    source = context.createBufferSource();
    source.buffer = sound;
    source.connect(context.destination);
    source.start(0, Math.max(0, time - data.before), data.before + data.after);
  };

  let waiting = 0;
  /** @param {any} event */
  const hover = ({ points: [{ customdata }] }) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => play(customdata), REST);
  };
  const leave = () => clearTimeout(waiting);

  // The chart may come after this, and is another one after its colours have changed.
  /** @type {any} */
  let chart;
  const look = setInterval(() => {
    const now = document.querySelector(".js-plotly-plot");
    if (now === chart || !(/** @type {any} */ (now)?.on)) return;
    chart = now;
    chart.on("plotly_hover", hover);
    chart.on("plotly_unhover", leave);
  }, 200);

  return () => {
    clearInterval(look);
    clearTimeout(waiting);
    chart?.removeListener?.("plotly_hover", hover);
    chart?.removeListener?.("plotly_unhover", leave);
    context.close();
  };
}
