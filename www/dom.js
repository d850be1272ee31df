// Writing into the page: every element is looked up once, and nothing is written that has not changed.

const byId = new Map();

/** The element with this id, which the page has. */
export function element(id) {
  if (!byId.has(id)) byId.set(id, document.getElementById(id));
  return byId.get(id);
}

export function setText(id, text) {
  const target = element(id);
  if (target.textContent !== text) target.textContent = text;
}

/** A text, and the number behind it for whoever reads the page by program. */
export function setNumber(id, value, text) {
  setText(id, text);
  element(id).dataset.value = Number.isFinite(value) ? String(value) : '';
}

/** An element of HTML with a class and a text. */
export function make(name, className = '', text = '') {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** A list with these lines of text. */
export function setList(id, lines) {
  const list = element(id);
  const key = lines.join('\n');
  if (list.dataset.lines === key) return;
  list.dataset.lines = key;
  list.replaceChildren(...lines.map((text) => make('li', '', text)));
}
