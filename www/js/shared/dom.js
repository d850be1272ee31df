// @ts-check
// Typed element lookup, and DOM writes that skip unchanged values.

/**
 * Returns the HTML element with this id.
 * @param {string} id
 */
export function byId(id) {
  return typedById(id, HTMLElement);
}

/**
 * Returns the element with this id and throws if its type differs.
 * @template {Element} T
 * @param {string} id
 * @param {{ new (): T, prototype: T }} type
 * @returns {T}
 */
export function typedById(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new TypeError(`expected #${id} to be a ${type.name}, found ${found}`);
  return found;
}

/**
 * Sets the text of an element.
 * @param {Element} target
 * @param {string} text
 */
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/**
 * Sets the text of an element and exposes the number behind it as `data-value`.
 * @param {HTMLElement} target
 * @param {number | null | undefined} value
 * @param {string} text
 */
export function setNumber(target, value, text) {
  setText(target, text);
  target.dataset.value = Number.isFinite(value) ? String(value) : '';
}

/**
 * Creates an HTML element with a class and a text.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} [className]
 * @param {string} [text]
 * @returns {HTMLElementTagNameMap[K]}
 */
export function createElement(tag, className = '', text = '') {
  const created = document.createElement(tag);
  if (className) created.className = className;
  if (text) created.textContent = text;
  return created;
}

/**
 * Creates a button that does not submit a form.
 * @param {string} label
 * @param {string} [className]
 */
export function createButton(label, className = '') {
  const button = createElement('button', className, label);
  button.type = 'button';
  return button;
}

/**
 * Fills a list with lines of text.
 * @param {HTMLElement} list
 * @param {string[]} lines
 */
export function setList(list, lines) {
  const key = lines.join('\n');
  if (list.dataset.lines === key) return;
  list.dataset.lines = key;
  list.replaceChildren(...lines.map((text) => createElement('li', '', text)));
}
