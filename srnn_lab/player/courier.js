// Brings sounds to a player that may not be there yet: they wait for it under its key.

export default function ({ data }) {
  window.srnnSounds ??= new Map();
  window.srnnSounds.set(data.key, data);
  window.dispatchEvent(new Event("srnn-sounds"));
}
