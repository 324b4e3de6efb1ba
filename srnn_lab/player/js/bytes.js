// What Python sends and is told, and how its bytes are read: pictures/protocol.py has the same types.

/**
 * Where an array lies among the bytes.
 * @typedef {object} ArraySent
 * @property {"f4" | "u1"} kind floats of 32 bits, or bytes
 * @property {number} start in bytes from the end of the head
 * @property {number} length
 */

/**
 * A curve.
 * @typedef {object} LineSent
 * @property {string} name
 * @property {string} colour
 * @property {"line" | "under" | "steps" | "dots" | "rings"} style
 * @property {ArraySent} times ascending, in units of the axis
 * @property {ArraySent} values NaN leaves a gap
 */

/**
 * A row of curves.
 * @typedef {object} LinesSent
 * @property {string} title
 * @property {string} unit
 * @property {[number, number]} limits
 * @property {string} note what is left out of the axis
 * @property {LineSent[]} lines
 */

/**
 * A row with a column of colours for each frame.
 * @typedef {object} PictureSent
 * @property {string} title
 * @property {string} unit
 * @property {[number, number]} limits values of the first and the last colour
 * @property {[number, string][]} ticks
 * @property {string} axis what the ticks are
 * @property {[string, string] | null} ends what is written beside the first and the last colour; null: the limits and the unit
 * @property {number} start of the first column
 * @property {number} end of the last column
 * @property {number} bins values in a column
 * @property {ArraySent} values indices of colours, column after column
 * @property {ArraySent} colours 256 of red, green, blue and opacity
 */

/**
 * A row of names, each valid until the next one.
 * @typedef {object} NamesSent
 * @property {string} title
 * @property {string[]} names
 * @property {ArraySent} times
 */

/**
 * The frames that selections snap to.
 * @typedef {object} Frame
 * @property {number} start of the first one
 * @property {number} step
 * @property {number} count
 */

/**
 * What can be heard.
 * @typedef {object} SoundSent
 * @property {string} name
 * @property {string} address of a WAV file; empty: not made yet
 * @property {boolean} onRequest whether it is made only when it is asked for
 */

/**
 * Where the playhead is put, or what is selected.
 * @typedef {object} Jump
 * @property {number} start
 * @property {number} end equal to the start if nothing is selected
 * @property {number} number another one for each jump
 */

/**
 * What is zoomed to and heard.
 * @typedef {object} LookSent
 * @property {number} start
 * @property {number} end equal to the start if everything is shown
 * @property {string} sound empty: the first
 * @property {number} number another one for each look
 */

/**
 * What stands before the arrays.
 * @typedef {object} Head
 * @property {(LinesSent | PictureSent | NamesSent)[]} rows
 * @property {number} end of the axis, which begins at 0
 * @property {Frame} frame
 * @property {string} unit of the axis
 * @property {number} seconds of sound in one unit of the axis
 * @property {ArraySent} marks
 * @property {string} markName
 * @property {[number, number][]} bars of music: where each begins, and its beat as a part of a whole note
 * @property {string} description
 * @property {string} digest of all above and of the arrays
 * @property {string} key names the player on its page
 * @property {Jump | null} jump
 * @property {LookSent | null} look
 * @property {number} turn another one for each delivery of sounds
 * @property {SoundSent[]} sounds
 */

/**
 * Sounds that follow the rows.
 * @typedef {object} Delivery
 * @property {string} key
 * @property {string} digest of the rows
 * @property {SoundSent[]} sounds
 */

/**
 * What Python is told of the playhead or the selection.
 * @typedef {object} PlaceTold
 * @property {number} start
 * @property {number} end
 * @property {number} at makes each choice a new one, even that of the same place again
 */

/**
 * What Python is told of the zoom (everything: from 0 to 0) and the sound.
 * @typedef {object} LookTold
 * @property {number} start
 * @property {number} end
 * @property {string | null} sound
 */

/**
 * What Python is told of a sound that is to be made.
 * @typedef {object} AskTold
 * @property {string} name
 * @property {number} at makes each wish a new one
 */

// What has been read.
/** @typedef {ReturnType<typeof unpack>} Content */
/** @typedef {Content["rows"][number]} Row */
/** @typedef {Extract<Row, { lines: unknown }>} LinesRow */
/** @typedef {Extract<Row, { bins: number }>} PictureRow */
/** @typedef {Extract<Row, { names: string[] }>} NamesRow */
/** @typedef {LinesRow["lines"][number]} Line */

/**
 * The description, and the arrays that it speaks of.
 * @param {Uint8Array} bytes
 * @returns {{ head: Head, body: Uint8Array }}
 */
export function headOf(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  return { head, body: bytes.subarray(4 + length) };
}

/**
 * What is drawn, with its arrays.
 * @param {Head} head
 * @param {Uint8Array} body
 */
export function unpack(head, body) {
  const buffer = body.slice().buffer; // a copy that begins at a multiple of four
  const kinds = { f4: Float32Array, u1: Uint8Array };
  /** @param {ArraySent} place */
  const array = (place) => new kinds[place.kind](buffer, place.start, place.length);
  return { ...head, marks: array(head.marks), rows: head.rows.map((row) => unpackRow(row, array)) };
}

/**
 * A row with its arrays.
 * @param {Head["rows"][number]} row
 * @param {(place: ArraySent) => Float32Array | Uint8Array} array
 */
function unpackRow(row, array) {
  if ("names" in row) return { ...row, times: array(row.times) };
  if ("lines" in row) {
    const lines = row.lines.map((line) => ({ ...line, times: array(line.times), values: array(line.values) }));
    return { ...row, lines };
  }
  return {
    ...row,
    image: imageOf(array(row.values), array(row.colours), row.bins),
    scale: imageOf(Uint8Array.from({ length: 256 }, (_, i) => i), array(row.colours), 1),
  };
}

/**
 * A picture with one pixel a value: columns from left to right, the first value of a column at the bottom.
 * @param {ArrayLike<number>} values
 * @param {Float32Array | Uint8Array} colours
 * @param {number} bins
 */
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
