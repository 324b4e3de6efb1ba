/** What the courier leaves for a player that may not be there yet, by the player's key. */
interface Window {
  srnnSounds?: Map<string, import("../../srnn_lab/player/js/bytes.js").Delivery>;
}
