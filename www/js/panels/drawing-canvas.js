// @ts-check
// The area to draw a digit in, by mouse, finger, pen or arrow keys.
//
// Opaque pixels are ink, whatever their colour. The canvas dispatches `drawn` after each change of the drawing.

const LINE_PIXELS = 22; // of 280: as thick as MNIST's lines in a digit that fills the area
const KEY_STEP_PIXELS = 10;
const DRAWN_INTERVAL_MS = 80; // between two `drawn` events of one stroke
/** @type {Record<string, Point>} */
const KEY_DIRECTIONS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** @typedef {[number, number]} Point */

/** A canvas with a pen. */
export class DrawingCanvas {
  #canvas;
  #context;
  /** @type {Point | null} The last position of a pressed pointer. */
  #last = null;
  /** @type {Point} The pen that the arrow keys move. */
  #pen;
  #drawnAt = 0;

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    const context = canvas.getContext('2d', { willReadFrequently: true });
    if (context === null) throw new Error('the browser has no 2D canvas');
    this.#canvas = canvas;
    this.#context = context;
    this.#pen = [canvas.width / 2, canvas.height / 4];
    canvas.addEventListener('pointerdown', (event) => this.#onDown(event));
    canvas.addEventListener('pointermove', (event) => this.#onMove(event));
    canvas.addEventListener('pointerup', () => this.#onUp());
    canvas.addEventListener('pointercancel', () => this.#onUp());
    canvas.addEventListener('keydown', (event) => this.#onKey(event));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#recolor());
  }

  clear() {
    this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#dispatchDrawn();
  }

  /**
   * Replaces the drawing.
   * @param {Point[][]} strokes Points with coordinates from 0 to 1.
   */
  draw(strokes) {
    const { width, height } = this.#canvas;
    this.#context.clearRect(0, 0, width, height);
    for (const stroke of strokes) {
      stroke.forEach(([x, y], index) => {
        const [fromX, fromY] = stroke[Math.max(0, index - 1)];
        this.#line([fromX * width, fromY * height], [x * width, y * height]);
      });
    }
    this.#dispatchDrawn();
  }

  /** Returns grey values, 0 to 255, in rows of `width`. */
  ink() {
    const { width, height } = this.#canvas;
    const { data } = this.#context.getImageData(0, 0, width, height);
    const grey = new Uint8Array(width * height);
    for (let index = 0; index < grey.length; index += 1) grey[index] = data[4 * index + 3];
    return { width, grey };
  }

  /** @param {PointerEvent} event */
  #onDown(event) {
    if (event.button !== 0) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#last = this.#position(event);
    this.#line(this.#last, this.#last);
    this.#dispatchDrawn();
  }

  /** @param {PointerEvent} event */
  #onMove(event) {
    if (this.#last === null) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length > 0 ? events : [event]) {
      const position = this.#position(one);
      this.#line(this.#last, position);
      this.#last = position;
    }
    if (event.timeStamp - this.#drawnAt > DRAWN_INTERVAL_MS) this.#dispatchDrawn(event.timeStamp);
  }

  #onUp() {
    if (this.#last === null) return;
    this.#last = null;
    this.#dispatchDrawn();
  }

  /**
   * Draws with the arrow keys; with Shift, only moves the pen.
   * @param {KeyboardEvent} event
   */
  #onKey(event) {
    if (event.key === 'Delete' || event.key === 'Backspace') this.clear();
    const direction = KEY_DIRECTIONS[event.key];
    if (!direction) return;
    event.preventDefault();
    const { width, height } = this.#canvas;
    const [x, y] = this.#pen;
    this.#pen = [
      insideArea(x + direction[0] * KEY_STEP_PIXELS, width),
      insideArea(y + direction[1] * KEY_STEP_PIXELS, height),
    ];
    if (event.shiftKey) return;
    this.#line([x, y], this.#pen);
    this.#dispatchDrawn();
  }

  /**
   * @param {PointerEvent} event
   * @returns {Point}
   */
  #position({ clientX, clientY }) {
    const box = this.#canvas.getBoundingClientRect();
    const { width, height } = this.#canvas;
    return [((clientX - box.left) / box.width) * width, ((clientY - box.top) / box.height) * height];
  }

  /**
   * @param {Point} from
   * @param {Point} to
   */
  #line([fromX, fromY], [toX, toY]) {
    const context = this.#context;
    context.strokeStyle = getComputedStyle(this.#canvas).color;
    context.lineWidth = LINE_PIXELS;
    context.lineCap = 'round';
    context.beginPath();
    context.moveTo(fromX, fromY);
    context.lineTo(toX, toY);
    context.stroke();
  }

  #recolor() {
    const context = this.#context;
    context.save();
    context.globalCompositeOperation = 'source-in';
    context.fillStyle = getComputedStyle(this.#canvas).color;
    context.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    context.restore();
  }

  #dispatchDrawn(at = 0) {
    this.#drawnAt = at;
    this.#canvas.dispatchEvent(new Event('drawn'));
  }
}

/**
 * @param {number} value
 * @param {number} size
 */
function insideArea(value, size) {
  return Math.min(size - LINE_PIXELS, Math.max(LINE_PIXELS, value));
}
