// Brings sounds to a player that may not be there yet: they wait for it under its key.

/** @import { Delivery } from "./js/bytes.js" */

/** @param {{ data: Delivery }} component */
export default function ({ data }) {
  window.srnnSounds ??= new Map();
  /** @param {Delivery} delivery */
  const made = ({ sounds }) => sounds.filter(({ address }) => address).length;
  // Of couriers that follow each other closely, an earlier one may arrive later.
  const waiting = window.srnnSounds.get(data.key);
  if (waiting?.digest === data.digest && made(waiting) > made(data)) return;
  window.srnnSounds.set(data.key, data);
  window.dispatchEvent(new Event("srnn-sounds"));
}
