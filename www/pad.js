// The sheet to draw a digit on, with a mouse, a finger, a pen or the arrow keys.
//
// Ink is what is opaque, whatever its colour. Whenever the drawing has changed, the canvas gets the event `drawn`.

const LINE_PIXELS = 22; // of 280: as thick as MNIST's lines in a digit that fills the sheet
const KEY_STEP_PIXELS = 10;
const WHILE_DRAWING_MS = 80; // between two `drawn` of one stroke
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Pad {
  #canvas;
  #context;
  #last = null; // where the pen was, while a pointer draws
  #pen; // where the keys' pen is
  #toldAt = 0;

  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext('2d', { willReadFrequently: true });
    this.#pen = [canvas.width / 2, canvas.height / 4];
    canvas.addEventListener('pointerdown', (event) => this.#begin(event));
    canvas.addEventListener('pointermove', (event) => this.#move(event));
    for (const end of ['pointerup', 'pointercancel']) canvas.addEventListener(end, () => this.#end());
    canvas.addEventListener('keydown', (event) => this.#key(event));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#recolour());
  }

  clear() {
    this.#context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    this.#tell();
  }

  /** Draws lines over a clean sheet; strokes: lists of points with coordinates from 0 to 1. */
  draw(strokes) {
    const { width, height } = this.#canvas;
    this.#context.clearRect(0, 0, width, height);
    for (const stroke of strokes) {
      stroke.forEach(([x, y], index) => {
        const [fromX, fromY] = stroke[Math.max(0, index - 1)];
        this.#line([fromX * width, fromY * height], [x * width, y * height]);
      });
    }
    this.#tell();
  }

  /** Grey values, 0 to 255, in rows of `width`. */
  ink() {
    const { width, height } = this.#canvas;
    const { data } = this.#context.getImageData(0, 0, width, height);
    const grey = new Uint8Array(width * height);
    for (let index = 0; index < grey.length; index += 1) grey[index] = data[4 * index + 3];
    return { width, grey };
  }

  #begin(event) {
    if (event.button !== 0) return;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#last = this.#place(event);
    this.#line(this.#last, this.#last);
    this.#tell();
  }

  #move(event) {
    if (this.#last === null) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const one of events.length > 0 ? events : [event]) {
      const place = this.#place(one);
      this.#line(this.#last, place);
      this.#last = place;
    }
    if (event.timeStamp - this.#toldAt > WHILE_DRAWING_MS) this.#tell(event.timeStamp);
  }

  #end() {
    if (this.#last === null) return;
    this.#last = null;
    this.#tell();
  }

  /** Arrows draw; with Shift they only move the pen. */
  #key(event) {
    if (event.key === 'Delete' || event.key === 'Backspace') this.clear();
    const step = KEYS[event.key];
    if (!step) return;
    event.preventDefault();
    const { width, height } = this.#canvas;
    const [x, y] = this.#pen;
    const within = (value, most) => Math.min(most - LINE_PIXELS, Math.max(LINE_PIXELS, value));
    this.#pen = [
      within(x + step[0] * KEY_STEP_PIXELS, width),
      within(y + step[1] * KEY_STEP_PIXELS, height),
    ];
    if (event.shiftKey) return;
    this.#line([x, y], this.#pen);
    this.#tell();
  }

  #place({ clientX, clientY }) {
    const box = this.#canvas.getBoundingClientRect();
    const { width, height } = this.#canvas;
    return [((clientX - box.left) / box.width) * width, ((clientY - box.top) / box.height) * height];
  }

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

  #recolour() {
    const context = this.#context;
    context.save();
    context.globalCompositeOperation = 'source-in';
    context.fillStyle = getComputedStyle(this.#canvas).color;
    context.fillRect(0, 0, this.#canvas.width, this.#canvas.height);
    context.restore();
  }

  #tell(at = 0) {
    this.#toldAt = at;
    this.#canvas.dispatchEvent(new Event('drawn'));
  }
}
