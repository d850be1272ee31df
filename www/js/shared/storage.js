// @ts-check
// Browser storage under a common prefix. Browsers may deny storage: reads then return `null`, and writes have no effect.

const PREFIX = 'farsign-';

/** A storage area that never throws. */
class SafeStorage {
  #area;

  /** @param {() => Storage} area Returns the area; browsers may throw here. */
  constructor(area) {
    this.#area = area;
  }

  /**
   * Returns the stored text, or `null`.
   * @param {string} name
   */
  get(name) {
    return attempt(() => this.#area().getItem(PREFIX + name));
  }

  /**
   * Stores a text and returns whether the browser allowed it.
   * @param {string} name
   * @param {string} text
   */
  set(name, text) {
    const stored = attempt(() => {
      this.#area().setItem(PREFIX + name, text);
      return true;
    });
    return stored ?? false;
  }

  /** @param {string} name */
  remove(name) {
    attempt(() => this.#area().removeItem(PREFIX + name));
  }

  /**
   * Returns the names of the entries with this prefix.
   * @param {string} prefix
   * @returns {string[]}
   */
  names(prefix) {
    const names = attempt(() => Object.keys(this.#area()));
    const isWanted = (/** @type {string} */ name) => name.startsWith(PREFIX + prefix);
    return (names ?? []).filter(isWanted).map((name) => name.slice(PREFIX.length));
  }

  /** Removes every entry of these pages. */
  clear() {
    attempt(() => {
      const names = Object.keys(this.#area()).filter((name) => name.startsWith(PREFIX));
      for (const name of names) this.#area().removeItem(name);
    });
  }
}

/** Entries that outlive the tab. */
export const local = new SafeStorage(() => localStorage);
/** Entries of this tab. */
export const session = new SafeStorage(() => sessionStorage);

/**
 * @template T
 * @param {() => T} action
 * @returns {T | null}
 */
function attempt(action) {
  try {
    return action();
  } catch {
    return null;
  }
}
