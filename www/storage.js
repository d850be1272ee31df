// What this browser keeps for the page. A browser may forbid to keep anything: then nothing is kept, and all else works.

const PREFIX = 'farsign-';

/** A text that was kept, or null. */
export function kept(name) {
  return attempt(() => localStorage.getItem(PREFIX + name)) ?? null;
}

/** Keeps a text; whether that is allowed. */
export function keep(name, text) {
  return attempt(() => {
    localStorage.setItem(PREFIX + name, text);
    return true;
  }) ?? false;
}

/** Forgets one text. */
export function drop(name) {
  attempt(() => localStorage.removeItem(PREFIX + name));
}

/** Forgets everything that the page ever kept. */
export function dropAll() {
  for (const storage of [() => localStorage, () => sessionStorage]) {
    attempt(() => {
      const names = Object.keys(storage()).filter((name) => name.startsWith(PREFIX));
      for (const name of names) storage().removeItem(name);
    });
  }
}

function attempt(action) {
  try {
    return action();
  } catch {
    return null;
  }
}
